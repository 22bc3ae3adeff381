// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests of loading, registration and the module's own services, as a program. It can be linked with
//! the kernel objects instead of a build of their sources (build.rs).

#[path = "../../tests/module.rs"]
mod module;
#[path = "../../tests/registration.rs"]
mod registration;

fn main() {
    for (name, test) in registration::TESTS.iter().chain(module::TESTS) {
        println!("{name}");
        test();
    }
    println!("{} tests passed", registration::TESTS.len() + module::TESTS.len());
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The speed chart: AES-128 through KCF's atomic operations, as stock illumos does it and as this
//! provider does, with OpenSSL beside them.
//!
//! The stock provider does not run here. Its figures were measured once, on another machine, by
//! running illumos' own framework and provider in a process; the chart says so.

use core::error::Error;
use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::compare::Comparison;
use crate::contender::{OPENSSL, OPS};
use crate::message::Operation;

/// Bytes of the messages of this run that the chart shows.
const BYTES: usize = 16384;

/// 10^6 bytes a second of the stock provider: AES-128, messages of 128 KiB, atomic, with a
/// template. A kernel is slower than that process: there each block also saves the FPU state.
const STOCK: [(Operation, f64); 6] = [
    (Operation::EcbEncrypt, 1982.0),
    (Operation::Ctr, 1196.0),
    (Operation::CbcEncrypt, 982.0),
    (Operation::CbcDecrypt, 1566.0),
    (Operation::GcmSeal, 504.0),
    (Operation::GcmOpen, 539.0),
];

/// Where [`STOCK`] was measured.
const STOCK_MACHINE: &str = "Sapphire-Rapids-class Xeon, 4.1 GHz, 128 KiB messages";

const SIZE: (u32, u32) = (960, 480);
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const SERIES: [RGBColor; 3] =
    [RGBColor(0xb8, 0xbf, 0xc6), RGBColor(0x6c, 0xa0, 0xdc), RGBColor(0xd9, 0x5f, 0x02)];

/// Width of a bar where a group's is 1.
const BAR: f64 = 0.27;

/// Writes the chart to `path`, an SVG file. `machine` is this run's.
///
/// # Errors
/// The file cannot be written, or the run has none of the chart's figures.
pub fn write(path: &Path, comparison: &Comparison, machine: &str) -> Result<(), Box<dyn Error>> {
    let speed = |operation, contender| {
        let cell = comparison.cell(operation, 128, BYTES)?;
        Some(cell.megabytes_per_second(cell.figure(contender)?))
    };
    let groups = STOCK.map(|(operation, stock)| {
        let bars = [Some(stock), speed(operation, OPENSSL), speed(operation, OPS)];
        (operation.name(), bars)
    });
    let measured = groups.iter().flat_map(|(_, [_, others @ ..])| others).flatten();
    let top = measured.fold(0.0_f64, |top, &speed| top.max(speed));
    if top == 0.0 {
        return Err("the run has no figure for the chart".into());
    }

    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let font = |size: i32| ("sans-serif", size).into_font().color(&INK);
    let place = |h, v| Pos::new(h, v);
    area.draw(&Text::new("AES-128, 10⁶ bytes per second on one core", (20, 16), font(20)))?;
    let notes = [
        format!(
            "OpenSSL, kcfaes: {machine}, 16 KiB messages; kcfaes through encrypt_atomic and decrypt_atomic"
        ),
        format!("* another machine: {STOCK_MACHINE}; not to be compared bar by bar"),
    ];
    for (line, note) in notes.into_iter().enumerate() {
        area.draw(&Text::new(note, (20, 438 + 19 * line as i32), font(13)))?;
    }
    for (i, (name, color)) in
        ["stock KCF*", "OpenSSL", "kcfaes"].into_iter().zip(SERIES).enumerate()
    {
        let x = 600 + 125 * i as i32;
        area.draw(&Rectangle::new([(x, 18), (x + 14, 32)], color.filled()))?;
        area.draw(&Text::new(name, (x + 20, 17), font(15)))?;
    }

    let mut chart = ChartBuilder::on(&area)
        .margin_top(48)
        .margin_bottom(72)
        .margin_right(20)
        .margin_left(10)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..groups.len() as f64, 0.0..top * 1.08)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(0xe4, 0xe7, 0xea))
        .axis_style(INK)
        .label_style(font(13))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;
    for (group, (name, bars)) in groups.iter().enumerate() {
        let left = group as f64 + (1.0 - 3.0 * BAR) / 2.0;
        for (i, (speed, color)) in bars.iter().zip(SERIES).enumerate() {
            let Some(speed) = *speed else { continue };
            let x = left + BAR * i as f64;
            let bar = Rectangle::new([(x, 0.0), (x + BAR * 0.94, speed)], color.filled());
            let style = font(12).pos(place(HPos::Center, VPos::Bottom));
            let label = EmptyElement::at((x + BAR / 2.0, speed))
                + Text::new(format!("{speed:.0}"), (0, -3), style);
            chart.draw_series([bar])?;
            chart.draw_series([label])?;
        }
        let style = font(15).pos(place(HPos::Center, VPos::Top));
        let label = EmptyElement::at((group as f64 + 0.5, 0.0)) + Text::new(*name, (0, 8), style);
        chart.draw_series([label])?;
    }
    area.present()?;
    Ok(())
}

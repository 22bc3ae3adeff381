// SPDX-License-Identifier: MIT OR Apache-2.0
//! SubBytes and InvSubBytes (FIPS 197 sections 5.1.1 and 5.3.2) as Boolean circuits over 64 bytes, both
//! without the constant 63₁₆.
//!
//! Word i of a [`State`] holds bit i of every byte. The circuit for the S-box is Boyar and Peralta's ("A new
//! combinational logic minimization technique with applications to cryptology", SEA 2010): a linear layer
//! into the tower field, one nonlinear core that inverts there, a linear layer back. As in the paper, x0 and
//! s0 are the *highest* bits of a byte.
//!
//! With S(x) = A·x⁻¹ + 63₁₆ the inverse is S⁻¹(x) = (A⁻¹·(x + 63₁₆))⁻¹. It has the same core between other
//! linear layers, which a greedy search for short linear programs found (23 and 29 gates).
//!
//! The constant is the caller's to add: after [`sub_bytes`], before [`inv_sub_bytes`]. The caller has it in
//! its round keys, where it costs nothing.

/// Bit i of each of 64 bytes in word i.
pub(super) type State = [u64; 8];

/// The constant of the S-box (FIPS 197 section 5.1.1).
pub(super) const CONSTANT: u8 = 0x63;

/// SubBytes without [`CONSTANT`].
#[inline(never)]
pub(super) fn sub_bytes(state: &mut State) {
    let [x7, x6, x5, x4, x3, x2, x1, x0] = *state;

    let y14 = x3 ^ x5;
    let y13 = x0 ^ x6;
    let y9 = x0 ^ x3;
    let y8 = x0 ^ x5;
    let t0 = x1 ^ x2;
    let y1 = t0 ^ x7;
    let y4 = y1 ^ x3;
    let y12 = y13 ^ y14;
    let y2 = y1 ^ x0;
    let y5 = y1 ^ x6;
    let y3 = y5 ^ y8;
    let t1 = x4 ^ y12;
    let y15 = t1 ^ x5;
    let y20 = t1 ^ x1;
    let y6 = y15 ^ x7;
    let y10 = y15 ^ t0;
    let y11 = y20 ^ y9;
    let y7 = x7 ^ y11;
    let y17 = y10 ^ y11;
    let y19 = y10 ^ y8;
    let y16 = t0 ^ y11;
    let y21 = y13 ^ y16;
    let y18 = x0 ^ y16;

    let [z0, z1, z2, z3, z4, z5, z6, z7, z8, z9, z10, z11, z12, z13, z14, z15, z16, z17] =
        invert([
            x7, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18,
            y19, y20, y21,
        ]);

    let t46 = z15 ^ z16;
    let t47 = z10 ^ z11;
    let t48 = z5 ^ z13;
    let t49 = z9 ^ z10;
    let t50 = z2 ^ z12;
    let t51 = z2 ^ z5;
    let t52 = z7 ^ z8;
    let t53 = z0 ^ z3;
    let t54 = z6 ^ z7;
    let t55 = z16 ^ z17;
    let t56 = z12 ^ t48;
    let t57 = t50 ^ t53;
    let t58 = z4 ^ t46;
    let t59 = z3 ^ t54;
    let t60 = t46 ^ t57;
    let t61 = z14 ^ t57;
    let t62 = t52 ^ t58;
    let t63 = t49 ^ t58;
    let t64 = z4 ^ t59;
    let t65 = t61 ^ t62;
    let t66 = z1 ^ t63;
    let t67 = t64 ^ t65;
    let s0 = t59 ^ t63;
    let s3 = t53 ^ t66;
    let s4 = t51 ^ t66;
    let s5 = t47 ^ t65;
    let s1 = t64 ^ s3;
    let s2 = t55 ^ t67;
    let s6 = t56 ^ t62;
    let s7 = t48 ^ t60;
    *state = [s7, s6, s5, s4, s3, s2, s1, s0];
}

/// InvSubBytes without [`CONSTANT`].
#[inline(always)]
pub(super) fn inv_sub_bytes(state: &mut State) {
    let [x7, x6, x5, x4, x3, x2, x1, x0] = *state;

    let y8 = x0 ^ x1;
    let y3 = x0 ^ x3;
    let y5 = x1 ^ x3;
    let y6 = x0 ^ y5;
    let y19 = x4 ^ x7;
    let y10 = y8 ^ y19;
    let y9 = x3 ^ x4;
    let y1 = x3 ^ y19;
    let y14 = x4 ^ y6;
    let y18 = x2 ^ y9;
    let y13 = x6 ^ y1;
    let y12 = y14 ^ y13;
    let y4 = y3 ^ y12;
    let y7 = x2 ^ y4;
    let y21 = x6 ^ y7;
    let y2 = y5 ^ y13;
    let y16 = y1 ^ y7;
    let t0 = x0 ^ x5;
    let y0 = x2 ^ t0;
    let y15 = y6 ^ y0;
    let y11 = y4 ^ t0;
    let y20 = y9 ^ y11;
    let y17 = y10 ^ y11;

    let [z0, z1, z2, z3, z4, z5, z6, z7, z8, z9, z10, z11, z12, z13, z14, z15, z16, z17] =
        invert([
            y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18,
            y19, y20, y21,
        ]);

    let t1 = z3 ^ z5;
    let t2 = z13 ^ z16;
    let t3 = z0 ^ z2;
    let t4 = z12 ^ t2;
    let t5 = t1 ^ t3;
    let t6 = z11 ^ z17;
    let t7 = z9 ^ t6;
    let t8 = z15 ^ t4;
    let t9 = z10 ^ t5;
    let t10 = z3 ^ z4;
    let t11 = z6 ^ t8;
    let t12 = t4 ^ t7;
    let t13 = z13 ^ z14;
    let t14 = t9 ^ t13;
    let t15 = t6 ^ t9;
    let t16 = z7 ^ t10;
    let t17 = z11 ^ t14;
    let t18 = z8 ^ t1;
    let t19 = z0 ^ t10;
    let t20 = z1 ^ t19;
    let t21 = z16 ^ t15;
    let s7 = z15 ^ t7;
    let s6 = t11 ^ t16;
    let s0 = t11 ^ t18;
    let s5 = t20 ^ s0;
    let s4 = t21 ^ s6;
    let s2 = t17 ^ s5;
    let s1 = t12 ^ s2;
    let s3 = t5 ^ s0;
    *state = [s7, s6, s5, s4, s3, s2, s1, s0];
}

/// The paper's nonlinear core: inversion in GF((2^4)^2), where the inverse of zero is zero. It goes from the
/// redundant inputs y0..y21 to the products z0..z17 (y0 is the input that the paper calls x7).
#[inline(always)]
fn invert(y: [u64; 22]) -> [u64; 18] {
    let [
        y0,
        y1,
        y2,
        y3,
        y4,
        y5,
        y6,
        y7,
        y8,
        y9,
        y10,
        y11,
        y12,
        y13,
        y14,
        y15,
        y16,
        y17,
        y18,
        y19,
        y20,
        y21,
    ] = y;

    // 1. The element of GF(2^4) to invert, t21 to t24: the product of the input and its conjugate.
    let t2 = y12 & y15;
    let t3 = y3 & y6;
    let t4 = t3 ^ t2;
    let t5 = y4 & y0;
    let t6 = t5 ^ t2;
    let t7 = y13 & y16;
    let t8 = y5 & y1;
    let t9 = t8 ^ t7;
    let t10 = y2 & y7;
    let t11 = t10 ^ t7;
    let t12 = y9 & y11;
    let t13 = y14 & y17;
    let t14 = t13 ^ t12;
    let t15 = y8 & y10;
    let t16 = t15 ^ t12;
    let t17 = t4 ^ y20;
    let t18 = t6 ^ t16;
    let t19 = t9 ^ t14;
    let t20 = t11 ^ t16;
    let t21 = t17 ^ t14;
    let t22 = t18 ^ y19;
    let t23 = t19 ^ y21;
    let t24 = t20 ^ y18;

    // 2. Its inverse: t29, t33, t37 and t40.
    let t25 = t21 ^ t22;
    let t26 = t21 & t23;
    let t27 = t24 ^ t26;
    let t28 = t25 & t27;
    let t29 = t28 ^ t22;
    let t30 = t23 ^ t24;
    let t31 = t22 ^ t26;
    let t32 = t31 & t30;
    let t33 = t32 ^ t24;
    let t34 = t23 ^ t33;
    let t35 = t27 ^ t33;
    let t36 = t24 & t35;
    let t37 = t36 ^ t34;
    let t38 = t27 ^ t36;
    let t39 = t29 & t38;
    let t40 = t25 ^ t39;

    // 3. The sums of these four that the products need.
    let t41 = t40 ^ t37;
    let t42 = t29 ^ t33;
    let t43 = t29 ^ t40;
    let t44 = t33 ^ t37;
    let t45 = t42 ^ t41;

    // 4. The products of the inverse and the input's conjugate.
    [
        t44 & y15,
        t37 & y6,
        t33 & y0,
        t43 & y16,
        t40 & y1,
        t29 & y7,
        t42 & y11,
        t45 & y17,
        t41 & y10,
        t44 & y12,
        t37 & y3,
        t33 & y4,
        t43 & y13,
        t40 & y5,
        t29 & y2,
        t42 & y9,
        t45 & y14,
        t41 & y8,
    ]
}

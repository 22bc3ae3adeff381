// SPDX-License-Identifier: MIT OR Apache-2.0
//! The known answers of the self-test.

use crate::request::Mechanism;

/// [`super::fold`] of the answers to the short messages, and of the answers to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) short: u128,
    pub(super) all: u128,
}

/// [`super::fold`]s of the answers to one key size. An answer is the ciphertext; in GCM and CCM the tag
/// follows as one more block. In CMAC and GMAC it is the tag, and GMAC's message follows the AAD.
pub(super) struct Answers {
    pub(super) key_len: usize,
    pub(super) folds: [(Mechanism, Answer); 7],
}

pub(super) const ANSWERS: [Answers; 3] = [
    Answers {
        key_len: 16,
        folds: [
            (
                Mechanism::Ecb,
                Answer {
                    short: 0x4841b899_bc388f01_5bd96e5b_119ad069,
                    all: 0x9c39c718_87384243_cd240966_650748aa,
                },
            ),
            (
                Mechanism::Cbc,
                Answer {
                    short: 0xd9480d3c_94c33bd2_0d6e520d_214051aa,
                    all: 0x32639e64_efcffd7e_08e6e40d_aac678ee,
                },
            ),
            (
                Mechanism::Ctr,
                Answer {
                    short: 0xa837688e_5552c4c4_4c1c8db5_ab8394a2,
                    all: 0x2d4505e7_8d4a7b3a_5ed721ff_a0196264,
                },
            ),
            (
                Mechanism::Gcm,
                Answer {
                    short: 0xf8d11a19_b1bdb867_7848d31f_ef2d2a24,
                    all: 0xa9e7bea8_e7f88c4d_7037d2fc_9a2e5f13,
                },
            ),
            (
                Mechanism::Ccm,
                Answer {
                    short: 0x98e3e76d_dd84e8ce_66e7d733_3718efbf,
                    all: 0x98e3e76d_dd84e8ce_66e7d733_3718efbf,
                },
            ),
            (
                Mechanism::Gmac,
                Answer {
                    short: 0xa951476a_e9375990_b2bb6d45_b3dd1d01,
                    all: 0x3e3e5fce_bb21599f_7f5bbff4_f15984b6,
                },
            ),
            (
                Mechanism::Cmac,
                Answer {
                    short: 0xd85d7c6b_8b199c39_787afeb9_9161164d,
                    all: 0xd85d7c6b_8b199c39_787afeb9_9161164d,
                },
            ),
        ],
    },
    Answers {
        key_len: 24,
        folds: [
            (
                Mechanism::Ecb,
                Answer {
                    short: 0x768dda61_926824d7_362ef559_604bccca,
                    all: 0x5e6f765c_5748c8b5_ac61a303_a81d5115,
                },
            ),
            (
                Mechanism::Cbc,
                Answer {
                    short: 0x1cdaea5e_1bac9d64_33703753_b398a13c,
                    all: 0x5f67259a_0237bcbe_1da35810_201a8d47,
                },
            ),
            (
                Mechanism::Ctr,
                Answer {
                    short: 0x9d0736ea_bd9220e7_cc74a577_a2464e6e,
                    all: 0x363ec518_ea51aacf_129b38e6_ba892f56,
                },
            ),
            (
                Mechanism::Gcm,
                Answer {
                    short: 0x22f74c2c_58217970_8b6ba772_085a40ce,
                    all: 0x6c835e7f_ade652bd_20d1dffc_05f81828,
                },
            ),
            (
                Mechanism::Ccm,
                Answer {
                    short: 0xc55e8693_2d369c7a_a7616e08_973c6b96,
                    all: 0xc55e8693_2d369c7a_a7616e08_973c6b96,
                },
            ),
            (
                Mechanism::Gmac,
                Answer {
                    short: 0x993a7c66_c3092362_7853e965_d9277cbb,
                    all: 0x25f3d63f_c81212b0_83425d54_d3cb7e82,
                },
            ),
            (
                Mechanism::Cmac,
                Answer {
                    short: 0x99fa515d_8192f3b3_68c7dcaf_b5c40520,
                    all: 0x99fa515d_8192f3b3_68c7dcaf_b5c40520,
                },
            ),
        ],
    },
    Answers {
        key_len: 32,
        folds: [
            (
                Mechanism::Ecb,
                Answer {
                    short: 0xe29b8410_49f0962a_435b8bf3_c0b80171,
                    all: 0x15cb8e20_7f9ccc5a_60c5f048_377d6f03,
                },
            ),
            (
                Mechanism::Cbc,
                Answer {
                    short: 0x096f3147_88fb5cbb_91785a4c_c607aa84,
                    all: 0x54893e5b_819a958a_6a029643_b02d23f2,
                },
            ),
            (
                Mechanism::Ctr,
                Answer {
                    short: 0xc9760bb8_cd6fca0e_35c41e1a_41d5809a,
                    all: 0x28c5a8de_ce3b3686_cddbcd61_9901715b,
                },
            ),
            (
                Mechanism::Gcm,
                Answer {
                    short: 0xef71e2a2_75e9d297_6e7ea53f_f4ee8872,
                    all: 0x06b3971b_98508f63_64d81fe9_6cb8d7f4,
                },
            ),
            (
                Mechanism::Ccm,
                Answer {
                    short: 0xb58a01d0_3c5ef6ec_9d048652_1ba672d3,
                    all: 0xb58a01d0_3c5ef6ec_9d048652_1ba672d3,
                },
            ),
            (
                Mechanism::Gmac,
                Answer {
                    short: 0x1209547b_444cc27f_ddad8e6a_e8399a0a,
                    all: 0x0a53ee1e_c5b72d43_15b162b0_78d6163e,
                },
            ),
            (
                Mechanism::Cmac,
                Answer {
                    short: 0xd7ac6c8c_a2845a8f_644b7c71_ea8f8542,
                    all: 0xd7ac6c8c_a2845a8f_644b7c71_ea8f8542,
                },
            ),
        ],
    },
];

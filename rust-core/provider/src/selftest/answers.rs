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
                    short: 0x1e8d7c40_e3f9b904_4022d335_037b2e99,
                    all: 0xa3e7cdc1_1fa369bb_ebe4aa19_12aa8af6,
                },
            ),
            (
                Mechanism::Cbc,
                Answer {
                    short: 0x8a3b1be2_9c373a60_8f5af22e_474a604d,
                    all: 0x745f740a_8d143c60_88d0b44b_3ec2142f,
                },
            ),
            (
                Mechanism::Ctr,
                Answer {
                    short: 0xdb6f3013_4abfd866_dc6310dc_356e80b6,
                    all: 0x68401931_9b6d3cc1_19ff85e0_474305df,
                },
            ),
            (
                Mechanism::Gcm,
                Answer {
                    short: 0xaf27156e_65affe23_819cf6d3_08b3fb8b,
                    all: 0x1e946b01_74035740_e9d1711c_e931ec0c,
                },
            ),
            (
                Mechanism::Ccm,
                Answer {
                    short: 0x4624e7dd_de680861_5414ea0b_672cd291,
                    all: 0x4624e7dd_de680861_5414ea0b_672cd291,
                },
            ),
            (
                Mechanism::Gmac,
                Answer {
                    short: 0xc099d8bb_955da875_b938f83e_b09f8394,
                    all: 0xedaf606c_43f4ba55_685c9502_f7dcb99c,
                },
            ),
            (
                Mechanism::Cmac,
                Answer {
                    short: 0xbb67f6ed_731d56b5_a8e1ca5a_59f57367,
                    all: 0xbb67f6ed_731d56b5_a8e1ca5a_59f57367,
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
                    short: 0x6e4a137e_73b0bc04_1531a2e2_4e7d396e,
                    all: 0x80dbf544_ae6b348e_bf7bc760_42ea34d3,
                },
            ),
            (
                Mechanism::Cbc,
                Answer {
                    short: 0x45b0bac1_2cc1d012_8d0ccb0a_b135759c,
                    all: 0xe5f32eb7_48245a53_b40d8fdf_bf91ad12,
                },
            ),
            (
                Mechanism::Ctr,
                Answer {
                    short: 0x3945eb04_d641e9e5_0ecc7c0d_51567f0f,
                    all: 0x3a66ac08_5d2a303b_e0db8848_8cd79392,
                },
            ),
            (
                Mechanism::Gcm,
                Answer {
                    short: 0xf72238d1_3bc305ce_9fe0fc5f_3dfd63df,
                    all: 0xe4e1e3a4_59199d6d_af6916b7_c3034bed,
                },
            ),
            (
                Mechanism::Ccm,
                Answer {
                    short: 0x016fd421_b015d9e2_3cfd44aa_e4e5dbcb,
                    all: 0x016fd421_b015d9e2_3cfd44aa_e4e5dbcb,
                },
            ),
            (
                Mechanism::Gmac,
                Answer {
                    short: 0x79fca94b_545a4daa_e316fc09_f6f4aa86,
                    all: 0xe47e7c64_e6b4cf21_b5c8778c_8c6cd2f9,
                },
            ),
            (
                Mechanism::Cmac,
                Answer {
                    short: 0x3eecc2f8_e79631f5_1646e311_24a9fc1d,
                    all: 0x3eecc2f8_e79631f5_1646e311_24a9fc1d,
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
                    short: 0x0cdfb2a6_52652edc_4d35d2c2_a6d441d0,
                    all: 0x9ddfb3e8_f94a0f28_d7db3185_fc5b43ce,
                },
            ),
            (
                Mechanism::Cbc,
                Answer {
                    short: 0xf82eca63_9c4f79e3_372be053_ff711f10,
                    all: 0x823ba073_befe171c_eea98289_c76ec4dc,
                },
            ),
            (
                Mechanism::Ctr,
                Answer {
                    short: 0x156bdba2_10572563_92d7a4aa_4b2faa1a,
                    all: 0xa2659fd9_ba3d81c8_f600a4a5_77ad73e5,
                },
            ),
            (
                Mechanism::Gcm,
                Answer {
                    short: 0x00ee2c93_e4ab8846_57db70dc_5a91f384,
                    all: 0x9f19e4b4_8eb43072_0c6126ab_8199640d,
                },
            ),
            (
                Mechanism::Ccm,
                Answer {
                    short: 0xe988d0d3_31b11fc9_2b879b77_ad2ef349,
                    all: 0xe988d0d3_31b11fc9_2b879b77_ad2ef349,
                },
            ),
            (
                Mechanism::Gmac,
                Answer {
                    short: 0xa592aec1_6bdea12f_0bf732d6_85c4b523,
                    all: 0x65641b6a_9a93ebe2_b9041bc8_a32c486d,
                },
            ),
            (
                Mechanism::Cmac,
                Answer {
                    short: 0x209a8471_a89357d5_ed26c4cc_0c1dac70,
                    all: 0x209a8471_a89357d5_ed26c4cc_0c1dac70,
                },
            ),
        ],
    },
];

/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * Known answers for api_test.c.  ECB, CBC and CTR: the four blocks of
 * SP 800-38A appendix F.  GCM: key, text, AAD and IVs of test cases 4 to 6,
 * 10 to 12 and 16 to 18 of the GCM specification; the GMAC beside each is of
 * the text as AAD.
 */

#ifndef	_API_KAT_H
#define	_API_KAT_H

#define	KAT_TEXT \
	"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" \
	"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
#define	KAT_IV		"000102030405060708090a0b0c0d0e0f"
#define	KAT_COUNTER	"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static const struct {
	const char *key, *ecb, *cbc, *ctr;
} kat_blocks[] = {
	{
	    "2b7e151628aed2a6abf7158809cf4f3c",
	    "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
	    "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4",
	    "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
	    "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
	    "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
	    "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
	},
	{
	    "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
	    "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef"
	    "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e",
	    "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
	    "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
	    "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
	    "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050"
	},
	{
	    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	    "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
	    "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
	    "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
	    "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
	    "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
	    "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
	}
};

#define	KAT_GCM_KEY \
	"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define	KAT_GCM_TEXT \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define	KAT_GCM_AAD	"feedfacedeadbeeffeedfacedeadbeefabaddad2"

static const struct {
	unsigned key_len;
	const char *iv, *ct, *tag, *gmac;
} kat_gcm[] = {
	{
	    16,
	    "cafebabefacedbaddecaf888",
	    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
	    "5bc94fbc3221a5db94fae95ae7121a47",
	    "ffb400e7fd5ad8583f1e10c809074607"
	},
	{
	    16,
	    "cafebabefacedbad",
	    "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
	    "73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
	    "3612d2e79e3b0785561be14aaca2fccb",
	    "24b9a1ff9d670f55922b0bddc65addaf"
	},
	{
	    16,
	    "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
	    "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
	    "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7"
	    "01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5",
	    "619cc5aefffe0bfa462af43c1699d050",
	    "b03523955e3829290812b1563418e191"
	},
	{
	    24,
	    "cafebabefacedbaddecaf888",
	    "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c"
	    "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
	    "2519498e80f1478f37ba55bd6d27618c",
	    "99603ee859d9253f1f3a6d6299656c08"
	},
	{
	    24,
	    "cafebabefacedbad",
	    "0f10f599ae14a154ed24b36e25324db8c566632ef2bbb34f8347280fc4507057"
	    "fddc29df9a471f75c66541d4d4dad1c9e93a19a58e8b473fa0f062f7",
	    "65dcc57fcf623a24094fcca40d3533f8",
	    "2ae342273e60ae0ca2f7aa4d5e99dc9d"
	},
	{
	    24,
	    "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
	    "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
	    "d27e88681ce3243c4830165a8fdcf9ff1de9a1d8e6b447ef6ef7b79828666e45"
	    "81e79012af34ddd9e2f037589b292db3e67c036745fa22e7e9b7373b",
	    "dcf566ff291c25bbb8568fc3d376a6d9",
	    "0ff68d2f6ab2fed3fc84dd18b24a87a1"
	},
	{
	    32,
	    "cafebabefacedbaddecaf888",
	    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	    "76fc6ece0f4e1768cddf8853bb2d551b",
	    "9bb125474e3ab02250391b72e0bbd87a"
	},
	{
	    32,
	    "cafebabefacedbad",
	    "c3762df1ca787d32ae47c13bf19844cbaf1ae14d0b976afac52ff7d79bba9de0"
	    "feb582d33934a4f0954cc2363bc73f7862ac430e64abe499f47c9b1f",
	    "3a337dbf46a792c45e454913fe2ea8f2",
	    "290db06615d88311b83dcc9cef82d595"
	},
	{
	    32,
	    "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
	    "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
	    "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf4"
	    "0fc0c3b780f244452da3ebf1c5d82cdea2418997200ef82e44ae7e3f",
	    "a44a8266ee1c8eb0c8b5d4cf5ae9f19a",
	    "1728c258c0095d8d40be64ebf3c3e495"
	}
};

#endif	/* _API_KAT_H */

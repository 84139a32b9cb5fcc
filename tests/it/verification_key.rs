//! One prepared key: the published examples, and everything that is nearly a signature of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::idp::key::{Unusable, VerificationKey, allowed_algorithm};
use countersign::idp::key_set::KeySet;
use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::idp::Key;

/// The payload of RFC 7515 A.2 and A.3.
const JOE: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const ALL: [&str; 5] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];

fn key(jwk: &Value) -> VerificationKey {
    VerificationKey::from_jwk(jwk).unwrap()
}

fn algorithm(alg: &str) -> Algorithm {
    allowed_algorithm(alg).unwrap()
}

/// The signed text, and the signature.
fn split(jws: &str) -> (String, Vec<u8>) {
    let (input, signature) = jws.rsplit_once('.').unwrap();
    (input.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

fn signed(signer: &Key, alg: &str) -> (String, Vec<u8>) {
    split(&signer.sign(&json!({ "alg": alg }).to_string(), "{}"))
}

fn verifies(key: &VerificationKey, alg: &str, message: &str, signature: &[u8]) -> bool {
    key.verifies(algorithm(alg), message.as_bytes(), signature)
}

/// Each algorithm with a key for it, and another key of the same kind.
fn signers() -> Vec<(&'static str, Key, Key)> {
    vec![
        ("RS256", Key::rsa("k", 0), Key::rsa("k", 1)),
        ("PS256", Key::rsa("k", 0), Key::rsa("k", 1)),
        ("ES256", Key::es256("k"), Key::es256("k")),
        ("ES384", Key::es384("k"), Key::es384("k")),
        ("EdDSA", Key::ed25519("k"), Key::ed25519("k")),
    ]
}

/// JAG-02: RFC 7515 A.2 and A.3, RFC 8037 A.4.
#[test]
fn published_signatures_verify() {
    let rsa = json!({ "kty": "RSA", "e": "AQAB", "n":
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
         T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
         dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
         GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" });
    let p256 = json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let by_rsa = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5\
         jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
         0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgG\
         Y9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let by_p256 = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let by_ed = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    for (alg, jwk, jws) in [
        ("RS256", rsa, format!("eyJhbGciOiJSUzI1NiJ9.{JOE}.{by_rsa}")),
        ("ES256", p256, format!("eyJhbGciOiJFUzI1NiJ9.{JOE}.{by_p256}")),
        ("EdDSA", ed, format!("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.{by_ed}")),
    ] {
        let (message, signature) = split(&jws);
        assert!(verifies(&key(&jwk), alg, &message, &signature), "{alg}");
        assert!(!verifies(&key(&jwk), alg, &message.replacen('J', "K", 1), &signature), "{alg}");
    }
}

/// JAG-02: a key verifies the algorithms of its kind, and takes no other's signature for its own.
#[test]
fn a_signature_verifies_with_its_key_and_algorithm_only() {
    let signers = signers();
    for (alg, signer, _) in &signers {
        let (message, signature) = signed(signer, alg);
        for (other, holder, stranger) in &signers {
            let (holder, stranger) = (holder.jwk(), stranger.jwk());
            for asked in ALL {
                let expected = *alg == asked && holder == signer.jwk();
                let found = verifies(&key(&holder), asked, &message, &signature);
                assert_eq!(found, expected, "{alg}, with the key for {other}, as {asked}");
                assert!(!verifies(&key(&stranger), asked, &message, &signature), "{alg} {other} {asked}");
            }
        }
    }
}

/// JAG-02: whatever is changed in message or signature.
#[test]
fn forged_signatures_are_refused() {
    for (alg, signer, _) in signers() {
        let holder = key(&signer.jwk());
        let (message, signature) = signed(&signer, alg);
        for position in 0..signature.len() {
            let mut flipped = signature.clone();
            flipped[position] ^= 1 << (position % 8);
            assert!(!verifies(&holder, alg, &message, &flipped), "{alg}: byte {position}");
        }
        let longer = [signature.as_slice(), &[0]].concat();
        let padded = [&[0], signature.as_slice()].concat();
        let zeros = vec![0; signature.len()];
        for forged in [&[][..], &signature[1..], &signature[..signature.len() - 1], &longer, &padded, &zeros]
        {
            assert!(!verifies(&holder, alg, &message, forged), "{alg}: {} bytes", forged.len());
        }
        assert!(!verifies(&holder, alg, &format!("{message} "), &signature), "{alg}");
        assert!(!verifies(&holder, alg, "", &signature), "{alg}");
        assert!(verifies(&holder, alg, &message, &signature), "{alg}");
    }
}

/// RFC 7518 §3.4: r and s side by side, not the ASN.1 form of other protocols.
#[test]
fn ecdsa_in_asn1_form_is_refused() {
    for (alg, signer) in [("ES256", Key::es256("k")), ("ES384", Key::es384("k"))] {
        let (message, signature) = signed(&signer, alg);
        let (r, s) = signature.split_at(signature.len() / 2);
        let integer = |number: &[u8]| {
            let sign: &[u8] = if number[0] < 0x80 { &[] } else { &[0] };
            let value = [sign, number].concat();
            [&[2, u8::try_from(value.len()).unwrap()], value.as_slice()].concat()
        };
        let both = [integer(r), integer(s)].concat();
        let asn1 = [&[0x30, u8::try_from(both.len()).unwrap()], both.as_slice()].concat();
        assert!(!verifies(&key(&signer.jwk()), alg, &message, &asn1), "{alg}");
    }
}

/// JAG-02: `alg` narrows a key.
#[test]
fn alg_narrows_a_key() {
    for only in ["RS256", "PS256"] {
        let mut jwk = Key::rsa("k", 0).jwk();
        jwk["alg"] = json!(only);
        let narrowed = key(&jwk);
        for alg in ALL {
            assert_eq!(narrowed.fits(algorithm(alg)), alg == only, "{only} {alg}");
            let (message, signature) = signed(&Key::rsa("k", 0), alg);
            assert_eq!(verifies(&narrowed, alg, &message, &signature), alg == only, "{only} {alg}");
        }
    }
}

/// JAG-02: keys that are none, each a usable one with one thing changed.
#[test]
fn unsound_keys_are_none() {
    let changed = |signer: &Key, name: &str, value: Value| {
        let mut jwk = signer.jwk();
        jwk[name] = value;
        jwk
    };
    let (rsa, p256, p384) = (Key::rsa("k", 0), Key::es256("k"), Key::es384("k"));
    let ed = Key::ed25519("k");
    let b64 = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    let mut too_large = [0xffu8; 1025];
    too_large[0] = 1;
    let mut zeros_before = [0xffu8; 300];
    zeros_before[..60].fill(0);
    for (name, jwk) in [
        ("n of 1920 bits behind zeros", changed(&rsa, "n", b64(&zeros_before))),
        ("n of 8193 bits", changed(&rsa, "n", b64(&too_large))),
        ("no n", changed(&rsa, "n", json!(""))),
        ("e of 1", changed(&rsa, "e", b64(&[0, 0, 1]))),
        ("e of 0", changed(&rsa, "e", b64(&[0]))),
        ("even e", changed(&rsa, "e", b64(&[1, 0, 0]))),
        ("e of 9 bytes", changed(&rsa, "e", b64(&[1, 0, 0, 0, 0, 0, 0, 0, 1]))),
        ("n is no text", changed(&rsa, "n", json!(7))),
        ("P-256 off the curve", changed(&p256, "y", p256.jwk()["x"].clone())),
        ("P-384 off the curve", changed(&p384, "y", p384.jwk()["x"].clone())),
        ("P-256 as P-384", changed(&p256, "crv", json!("P-384"))),
        ("P-384 as P-256", changed(&p384, "crv", json!("P-256"))),
        ("short x", changed(&p256, "x", b64(&[1; 31]))),
        ("no point", changed(&p256, "x", json!(""))),
        ("short Ed25519", changed(&ed, "x", b64(&[1; 31]))),
        ("Ed448", changed(&ed, "crv", json!("Ed448"))),
        ("alg of another kind", changed(&p256, "alg", json!("RS256"))),
        ("alg off the list", changed(&rsa, "alg", json!("RS512"))),
        ("alg is no text", changed(&rsa, "alg", json!(7))),
        ("private", changed(&ed, "d", json!("AQ"))),
        ("for encryption", changed(&rsa, "use", json!("enc"))),
        ("for signing only", changed(&rsa, "key_ops", json!(["sign"]))),
    ] {
        assert!(VerificationKey::from_jwk(&jwk).is_err(), "{name}: {jwk}");
    }
    let mut n = URL_SAFE_NO_PAD.decode(rsa.jwk()["n"].as_str().unwrap()).unwrap();
    n.insert(0, 0);
    let (message, signature) = signed(&rsa, "RS256");
    assert!(verifies(&key(&changed(&rsa, "n", b64(&n))), "RS256", &message, &signature), "a leading zero");
}

/// The bytes of a member of a key.
fn member(jwk: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap()
}

/// A key of the curve whose member begins with a zero byte: one in 128 has one.
fn with_a_zero_first(make: fn(&str) -> Key) -> (Key, &'static str) {
    loop {
        let made = make("k");
        if let Some(name) = ["x", "y"].into_iter().find(|name| member(&made.jwk(), name)[0] == 0) {
            return (made, name);
        }
    }
}

/// RFC 7518 §6.2.1.2 has leading zeros; libraries for numbers leave them out, or write one more as a sign.
#[test]
fn coordinates_are_numbers() {
    for (make, size) in [(Key::es256 as fn(&str) -> Key, 32), (Key::es384, 48)] {
        let (signer, name) = with_a_zero_first(make);
        let (message, signature) = signed(&signer, signer.alg());
        let whole = member(&signer.jwk(), name);
        assert_eq!(whole.len(), size);
        let shortened: Vec<u8> = whole.iter().copied().skip_while(|byte| *byte == 0).collect();
        for written in [shortened, [vec![0], whole.clone()].concat()] {
            let mut jwk = signer.jwk();
            jwk[name] = json!(URL_SAFE_NO_PAD.encode(&written));
            assert!(verifies(&key(&jwk), signer.alg(), &message, &signature), "{} bytes", written.len());
        }
        let mut jwk = signer.jwk();
        jwk[name] = json!(URL_SAFE_NO_PAD.encode([&[1], whole.as_slice()].concat()));
        let why = VerificationKey::from_jwk(&jwk).err().unwrap();
        assert_eq!(why, Unusable::Length { name, found: size + 1, wanted: size });
    }
}

/// A member that is null is as good as none, and padding is no part of a number.
#[test]
fn padded_and_null_members_mean_the_same() {
    for (alg, signer, _) in signers() {
        let (message, signature) = signed(&signer, alg);
        let mut jwk = signer.jwk();
        for name in ["n", "e", "x", "y"] {
            if let Some(text) = jwk[name].as_str() {
                let padding = ["", "", "==", "="][text.len() % 4];
                jwk[name] = json!(format!("{text}{padding}"));
            }
        }
        for name in ["d", "alg", "use", "key_ops", "x5c", "x5t", "kid"] {
            jwk[name] = Value::Null;
        }
        assert!(verifies(&key(&jwk), alg, &message, &signature), "{jwk}");
        assert_eq!(key(&jwk).kid, None);
    }
}

/// RFC 9864 §2.2: the name says the curve as well.
#[test]
fn ed25519_has_two_names() {
    let signer = Key::ed25519("k");
    let mut jwk = signer.jwk();
    jwk["alg"] = json!("Ed25519");
    let (message, signature) = signed(&signer, "Ed25519");
    for alg in ["Ed25519", "EdDSA"] {
        assert!(verifies(&key(&jwk), alg, &message, &signature), "{alg}");
    }
    assert!(allowed_algorithm("Ed448").is_none());
    jwk["alg"] = json!("Ed448");
    assert_eq!(VerificationKey::from_jwk(&jwk).err(), Some(Unusable::Alg));
}

/// Anything that may stand in a key.
fn any_member() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] =
        &["RSA", "EC", "OKP", "P-256", "P-384", "Ed25519", "sig", "enc", "RS256", "ES256", "verify", "AQAB"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[A-Za-z0-9_=+/-]{0,70}".prop_map(Value::from),
        proptest::sample::select(WORDS).prop_map(Value::from),
        proptest::collection::vec("[a-z]{0,7}", 0..3).prop_map(Value::from),
    ]
}

proptest! {
    /// No key is taken that makes a signature out of nothing, and no text ends in a panic.
    #[test]
    fn whatever_is_published_is_read_or_left_out(
        members in proptest::collection::btree_map(
            proptest::sample::select(&["kty", "crv", "n", "e", "x", "y", "d", "alg", "use", "key_ops", "kid"][..]),
            any_member(),
            0..11,
        ),
    ) {
        let jwk = json!(members);
        match VerificationKey::from_jwk(&jwk) {
            Err(why) => prop_assert!(!why.to_string().is_empty()),
            Ok(key) => prop_assert!(ALL.iter().all(|alg| !verifies(&key, alg, "x", &[]))),
        }
        let set = json!({ "keys": [jwk, Key::ed25519("sound").jwk()] });
        let set = KeySet::parse(&set).unwrap();
        let (found, left_out) = (set.usable(), set.left_out_shown());
        prop_assert_eq!(found == 1, left_out.is_some());
    }
}

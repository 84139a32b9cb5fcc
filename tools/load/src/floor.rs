//! The floor under every exchange: one RS256 verification and one ES256 signature, with prepared keys.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};

use crate::{Outcome, machine};

/// As long as what is signed in these scenarios.
const MESSAGE: [u8; 560] = [b'x'; 560];

/// Microseconds of CPU each, of one thread.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    pub verify: f64,
    pub sign: f64,
}

impl Floor {
    /// Measures both on the calling thread's core.
    pub fn measure() -> Outcome<Self> {
        let random = SystemRandom::new();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature)?;
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref())?;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())?;
        let verify = || Ok(public.verify_sig(black_box(&MESSAGE), &signature)?);
        let sign = || {
            black_box(ec.sign(&random, black_box(&MESSAGE))?);
            Ok(())
        };
        Ok(Self { verify: microseconds(verify)?, sign: microseconds(sign)? })
    }

    /// Both together.
    pub fn total(self) -> f64 {
        self.verify + self.sign
    }
}

/// Microseconds of CPU of one ES256 verification with a prepared key.
pub fn es256_verification() -> Outcome<f64> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let signature = key.sign(&random, &MESSAGE)?;
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref())?;
    microseconds(|| Ok(public.verify_sig(black_box(&MESSAGE), signature.as_ref())?))
}

fn microseconds(mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    const TIMES: u32 = 5_000;
    for _ in 0..TIMES / 10 {
        work()?;
    }
    let before = machine::thread_cpu()?;
    for _ in 0..TIMES {
        work()?;
    }
    Ok((machine::thread_cpu()? - before) * 1e6 / f64::from(TIMES))
}

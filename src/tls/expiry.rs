//! When a certificate expires. The TLS library tells this of nobody's certificate.

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode as _, SliceReader, Tag, Tagged as _};

use crate::clock::{DAY, UnixSeconds};

/// How long before its end a certificate should have been renewed, in seconds.
pub(crate) const EXPIRES_SOON: UnixSeconds = 14 * DAY;

/// The end of a certificate's validity, in seconds since 1970; none for what is not a certificate.
pub(crate) fn of(certificate: &[u8]) -> Option<UnixSeconds> {
    let end = not_after(certificate).ok()?;
    UnixSeconds::try_from(end.as_secs()).ok()
}

/// RFC 5280 §4.1. The fields before the validity are the version, which certificates of version 1 leave out, the
/// serial number, the signature's algorithm and the issuer.
fn not_after(certificate: &[u8]) -> der::Result<std::time::Duration> {
    let mut certificate = inside(AnyRef::from_der(certificate)?)?;
    let mut fields = inside(AnyRef::decode(&mut certificate)?)?;
    let has_version = AnyRef::decode(&mut fields)?.tag().is_context_specific();
    for _ in 0..if has_version { 3 } else { 2 } {
        AnyRef::decode(&mut fields)?;
    }
    let mut validity = inside(AnyRef::decode(&mut fields)?)?;
    AnyRef::decode(&mut validity)?;
    let end = AnyRef::decode(&mut validity)?;
    match end.tag() {
        Tag::UtcTime => Ok(end.decode_as::<UtcTime>()?.to_unix_duration()),
        _ => Ok(end.decode_as::<GeneralizedTime>()?.to_unix_duration()),
    }
}

/// Reads the parts of a sequence.
fn inside(sequence: AnyRef<'_>) -> der::Result<SliceReader<'_>> {
    SliceReader::new(sequence.value())
}

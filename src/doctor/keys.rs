//! The signing keys, and the files with secrets.

use super::exposed::{self, ExposedFile};
use super::line::Lines;
use super::patient::Patient;
use crate::clock::{DAY, rfc3339};
use crate::config::Config;
use crate::model::signing_key::{Turn, split_retired, turns};
use crate::signing::Signer;
use crate::store::signing_keys::StoredKey;

/// The age at which a signing key should be replaced, in days.
const OLD: i64 = 365;

/// Examines the stored keys and the files that the configuration names.
pub(super) fn examine(patient: &Patient, lines: &Lines) {
    let now = patient.clock.now();
    match &patient.stored {
        Some(stored) => {
            signing(&stored.keys, now, lines);
            at_rest(&stored.keys, &patient.config, now, lines);
        }
        None => lines.warn(
            "signing_key",
            "The signing keys were not looked at, since the database cannot be read.",
            "See the lines about the database.",
        ),
    }
    files(&patient.config, lines);
}

fn signing(keys: &[StoredKey], now: i64, lines: &Lines) {
    let (published, _) = split_retired(keys, now);
    let Some((key, _)) = turns(published, now).find(|(_, turn)| *turn == Turn::Signs) else {
        let message = match keys.is_empty() {
            true => "There is no signing key yet.",
            false => "No key's time to sign has come: this machine's clock is before all of them.",
        };
        return lines.warn("signing_key", message, "`serve` makes one when it starts. Check the clock.");
    };
    let days = (now - key.signs_from) / DAY;
    let message = format!("{} ({}) has signed since {}.", key.kid, key.alg, rfc3339(key.signs_from));
    match days {
        days if days > OLD => lines.warn(
            "signing_key",
            format!("{message} That is {days} days."),
            "Run `countersign key rotate`: the new key is published first, and signs ten minutes later.",
        ),
        _ => lines.ok("signing_key", message),
    }
    let of = |wanted: Turn| turns(published, now).filter(|(_, turn)| *turn == wanted).count();
    let (next, past) = (of(Turn::Next), of(Turn::Past));
    lines.ok("published_keys", format!("1 signs, {next} will sign later, {past} only verify older tokens."));
}

fn at_rest(keys: &[StoredKey], config: &Config, now: i64, lines: &Lines) {
    if let Err(error) = Signer::prepare(keys, config, now) {
        return lines.fail(
            "encryption",
            format!("The service cannot use its keys: {error}."),
            "Set `keys.encryption_key_file` to the key that they were encrypted with.",
        );
    }
    let plain = split_retired(keys, now).0.iter().filter(|key| !key.encrypted).count();
    match (config.keys.encryption_key.is_some(), plain) {
        (true, 0) => lines.ok("encryption", "The signing keys are encrypted at rest."),
        (true, plain) => lines.warn(
            "encryption",
            format!("{plain} of the signing keys are older than `keys.encryption_key`, and stored in plain text."),
            "Run `countersign key reencrypt`. Older backups still have them in plain text: `countersign key rotate` replaces them.",
        ),
        (false, _) => lines.warn(
            "encryption",
            "The signing keys are stored in plain text: whoever reads the database or a backup can make tokens.",
            "Set `keys.encryption_key_file` (32 bytes, base64url), then run `countersign key reencrypt`.",
        ),
    }
}

fn files(config: &Config, lines: &Lines) {
    let exposed = exposed::secret_files(config);
    for ExposedFile { path, mode, command } in &exposed {
        let message = format!("{} holds a secret and has mode {mode}: others can read it.", path.display());
        lines.fail("secret_files", message, format!("Run `{command}`."));
    }
    if exposed.is_empty() && !config.secret_files.is_empty() {
        lines.ok("secret_files", "Only their owner and group can read the files with secrets.");
    }
}

//! Commands to paste into a shell, bash or zsh.

use std::fmt::Write as _;
use std::path::Path;

use super::take::IdJagForm;
use crate::oauth::request::JWT_BEARER;

/// A word as a shell takes it: quoted, unless each character means itself in bash and in zsh.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".:/@_-,+=".contains(c);
    let is_word = !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain);
    if is_word { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A parameter of a form: encoded by curl where it has to be.
fn parameter(name: &str, value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".:/_-,".contains(c);
    let option = if value.chars().all(is_plain) { "-d" } else { "--data-urlencode" };
    format!("{option} {}", quoted(&format!("{name}={value}")))
}

/// `--cacert`, where the certificate is ours.
fn trust(ca_file: Option<&Path>) -> String {
    ca_file.map(|file| format!(" --cacert {}", quoted(&file.display().to_string()))).unwrap_or_default()
}

/// Puts an ID-JAG into `ID_JAG`.
pub fn take(origin: &str, ca_file: Option<&Path>, form: &IdJagForm) -> String {
    let mut command = format!("ID_JAG=$(curl -sS{} {}/id-jag", trust(ca_file), quoted(origin));
    for (name, value) in form.given() {
        let _ = write!(command, " \\\n  {}", parameter(name, value));
    }
    command + ")"
}

/// Exchanges `$ID_JAG` for an access token, as a client with its secret in `$CLIENT_SECRET`.
pub fn exchange(audience: &str, client_id: &str) -> String {
    let (audience, client_id) = (quoted(audience), quoted(client_id));
    format!(
        "curl -sS {audience}/oauth2/token \\\n  -u {client_id}:\"$CLIENT_SECRET\" \\\n  -d grant_type={JWT_BEARER} \\\n  \
         -d assertion=\"$ID_JAG\""
    )
}

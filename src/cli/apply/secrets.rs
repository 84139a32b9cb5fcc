//! The secrets of clients and credentials. The service keeps only digests, so it is asked whether a secret is current, and
//! it never tells one.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::AT_ONCE;
use super::found::ResourceIds;
use crate::cli::api::{Api, ApiProblem};
use crate::cli::secret_file;
use crate::config::Secret;
use crate::manifest::{FoundObject, Manifest, Mistakes, ObjectKind, SecretSource};
use crate::model::client::is_client_secret;

/// The secrets that files name, by the id of the client or the credentials. No two have the same.
pub(super) struct Secrets(HashMap<String, Secret>);

impl Secrets {
    /// Reads every secret.
    pub(super) fn read(manifest: &Manifest) -> Result<Self, Mistakes> {
        let (mut secrets, mut mistakes) = (HashMap::new(), Mistakes::default());
        for object in &manifest.objects {
            let Some(source) = &object.secret else { continue };
            match read(source).map_err(|error| format!("the secret of `{}`, {error}", object.name)) {
                Ok(secret) => drop(secrets.insert(object.name.clone(), secret)),
                Err(error) => mistakes.add(object.place.clone(), error),
            }
        }
        mistakes.or(Self(secrets))
    }

    /// The secret of a client or of credentials.
    pub(super) fn of(&self, client_id: &str) -> Option<&str> {
        self.0.get(client_id).map(Secret::expose)
    }

    /// The clients and credentials that have their declared secrets already.
    pub(super) async fn current(
        &self,
        api: &Api,
        found: &[FoundObject],
        ids: &ResourceIds,
    ) -> Result<HashSet<String>, ApiProblem> {
        let declared = found.iter().filter_map(|object| {
            let secrets = match object.kind {
                ObjectKind::Client => "secrets",
                ObjectKind::Credential => "secret",
                _ => return None,
            };
            Some((object, secrets, self.of(object.name())?))
        });
        let asked = stream::iter(declared).map(|(object, secrets, secret)| async move {
            let path = format!("{}/{secrets}/check", ids.object_path(object)?);
            let answer = api.post(&path, Some(&json!({ "client_secret": secret }))).await?;
            let is_current = answer.get("is_current").and_then(Value::as_bool) == Some(true);
            Ok::<_, ApiProblem>(is_current.then(|| object.name().to_owned()))
        });
        let current: Vec<Option<String>> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(current.into_iter().flatten().collect())
    }
}

/// The source in words.
pub(super) fn shown(source: &SecretSource) -> String {
    match source {
        SecretSource::File(path) => format!("in {}", path.display()),
        SecretSource::Variable(name) => format!("in the variable {name}"),
    }
}

fn read(source: &SecretSource) -> Result<Secret, String> {
    let text = match source {
        SecretSource::File(path) => secret_file::read(path).map_err(|error| error.to_string()),
        SecretSource::Variable(name) => std::env::var(name).map_err(|_| "which is not set".to_owned()),
    };
    let text = text.map_err(|error| format!("{}: {error}", shown(source)))?;
    match text.trim_end_matches(['\r', '\n']) {
        secret if is_client_secret(secret) => Ok(Secret::from(secret.to_owned())),
        _ => Err(format!("{}: expected 16 to 256 printable ASCII characters without spaces", shown(source))),
    }
}

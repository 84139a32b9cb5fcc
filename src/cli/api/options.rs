//! The options that say where a command works.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::problem::ApiProblem;
use crate::cli::secret_file;
use crate::config::{Secret, is_loopback};

/// Where a command works, and with which token.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where to work")]
pub(in crate::cli) struct ApiOptions {
    /// The running service to work on: the URL of its issuer. It wins over a configuration file. Without it, the
    /// command works on the database of the configuration, as an operator.
    #[arg(long, global = true, value_name = "URL", env = "COUNTERSIGN_SERVER")]
    server: Option<String>,
    /// An admin token for --server. Others on this machine can see a command line; better set the variable, or use a
    /// file.
    #[arg(long, global = true, value_name = "TOKEN", env = "COUNTERSIGN_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// A file that holds the admin token. It wins over --token and its variable.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust besides the usual ones, for a service with a private authority.
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Allow --server with http to another machine. Whoever is in between can read the token.
    #[arg(long, global = true)]
    allow_http: bool,
}

impl ApiOptions {
    /// The address of the service, if one is named. An empty variable counts as unset.
    pub(super) fn server(&self) -> Result<Option<Url>, ApiProblem> {
        let Some(text) = self.server.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        // A password in it must not be repeated.
        let invalid = || ApiProblem::ServerInvalid(text.rsplit('@').next().unwrap_or_default().to_owned());
        let url = Url::parse(text).map_err(|_| invalid())?;
        let is_address = matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_address {
            return Err(invalid());
        }
        if url.scheme() == "http" && !is_loopback(&url) && !self.allow_http {
            return Err(ApiProblem::PlainHttp(text.to_owned()));
        }
        Ok(Some(url))
    }

    /// The token, from the file or from the option or variable.
    pub(super) fn token(&self) -> Result<Secret, ApiProblem> {
        let text = match (&self.token_file, &self.token) {
            (Some(path), _) => secret_file::read(path)
                .map_err(|source| ApiProblem::TokenFile { path: path.clone(), source })?,
            (None, Some(token)) => token.expose().to_owned(),
            (None, None) => String::new(),
        };
        match text.trim() {
            "" => Err(ApiProblem::NoToken),
            token => Ok(Secret::from(token.to_owned())),
        }
    }

    /// Further certificates.
    pub(super) fn ca_file(&self) -> Option<PathBuf> {
        self.ca_file.clone()
    }
}

//! `countersign conformance`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use reqwest::Certificate;
use tokio::net::TcpListener;
use url::Url;

use super::serve::StopSignals;
use super::{CommandError, CommandResult, End};
use crate::clock::SystemClock;
use crate::conformance::{
    self, ClientAuth, ConformanceProfile, ConformanceReport, KnownClient, SuiteAlg, SuiteKeys, TestTarget,
    requirements,
};
use crate::terminal::out::{self, complain};

pub(super) const HELP: &str = "\
Examples:
  countersign conformance --print-setup --issuer https://auth.example.com --client-id suite
  CONFORMANCE_CLIENT_SECRET=$SECRET countersign conformance --issuer https://auth.example.com --client-id suite \\
    --resource https://mcp.example.com/mcp --scope 'docs.read docs.write'
  countersign conformance --issuer https://auth.example.com --client-id suite --only JAG-07,TOK --format json
The server asks for the keys at --listen, or at --idp-url, which must forward to it.
Exit: 0 every MUST that could be tested holds, 1 one does not, 2 it could not run";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReportFormat {
    /// Text for people.
    Text,
    /// One JSON document.
    Json,
    /// `JUnit`'s XML.
    Junit,
    /// A badge in Markdown.
    Badge,
}

#[derive(Debug, Args)]
pub(super) struct ConformanceArgs {
    /// The issuer identifier of the server under test, byte for byte.
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Its token endpoint [default: what its metadata says].
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    #[command(flatten)]
    clients: ClientArgs,
    #[command(flatten)]
    assertion: AssertionArgs,
    #[command(flatten)]
    idp: IdpArgs,
    /// The text to measure by.
    #[arg(long, value_enum, default_value = "ema")]
    profile: ConformanceProfile,
    /// Test these ids or chapters only, such as JAG-07,TOK.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    only: Vec<String>,
    /// Certificates to trust beside the usual ones, in PEM.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Say what the server must be set up with, and run the identity provider until it is interrupted. Tests nothing.
    #[arg(long)]
    print_setup: bool,
    /// How the report is written.
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
}

#[derive(Debug, Args)]
struct ClientArgs {
    /// The client that the server knows.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// Its secret; not needed for --print-setup.
    #[arg(long, value_name = "SECRET", env = "CONFORMANCE_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// How it authenticates [default: as the metadata says].
    #[arg(long, value_enum, value_name = "WAY")]
    auth: Option<ClientAuth>,
    /// Another client, which must not use the first one's assertions.
    #[arg(long, value_name = "ID", requires = "other_client_secret")]
    other_client_id: Option<String>,
    /// Its secret.
    #[arg(long, value_name = "SECRET", env = "CONFORMANCE_OTHER_CLIENT_SECRET", hide_env_values = true)]
    other_client_secret: Option<String>,
    /// A client with the keys that --print-setup names, for `private_key_jwt`.
    #[arg(long, value_name = "ID")]
    key_client_id: Option<String>,
    /// Credentials for introspection [default: the client's].
    #[arg(long, value_name = "ID", requires = "introspection_client_secret")]
    introspection_client_id: Option<String>,
    /// The secret of these credentials.
    #[arg(
        long,
        value_name = "SECRET",
        env = "CONFORMANCE_INTROSPECTION_CLIENT_SECRET",
        hide_env_values = true
    )]
    introspection_client_secret: Option<String>,
}

#[derive(Debug, Args)]
struct AssertionArgs {
    /// The resource that tokens are asked for.
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// Its scopes, with spaces between them; two or more show most.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// The person whom the assertions are about.
    #[arg(long, value_name = "SUB", default_value = "conformance-1")]
    subject: String,
    /// The person's email; the profile `upstream` names none.
    #[arg(long, value_name = "EMAIL", default_value = "conformance@example.com")]
    email: String,
    /// The algorithm of the assertions [default: RS256; ES256 in the profile `upstream`].
    #[arg(long, value_enum)]
    alg: Option<SuiteAlg>,
}

#[derive(Debug, Args)]
struct IdpArgs {
    /// Where the suite's identity provider listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9500")]
    listen: SocketAddr,
    /// Its issuer, if a public URL forwards to it [default: the address].
    #[arg(long, value_name = "URL")]
    idp_url: Option<String>,
    /// The file that keeps its keys, so that the server knows them the next time.
    #[arg(long, value_name = "FILE", default_value = "conformance-keys.json")]
    keys: PathBuf,
}

impl ConformanceArgs {
    pub(super) async fn run(self) -> CommandResult {
        self.check()?;
        let target = self.target();
        let ca = certificates(self.ca_file.as_deref())?;
        let keys = Arc::new(SuiteKeys::kept_in(&self.idp.keys)?);
        let listening = TcpListener::bind(self.idp.listen).await;
        let listener = listening
            .map_err(|error| format!("--listen {}: {error}; name another address", self.idp.listen))?;
        let idp = conformance::serve_idp(listener, self.idp.idp_url, keys)?;
        if self.print_setup {
            let mut signals = StopSignals::listen()?;
            out::text(conformance::setup(&target, &idp));
            complain!("{} answers until this is interrupted", idp.issuer());
            signals.recv().await;
            return Ok(End::Fine);
        }
        let report = conformance::examine(target, idp, ca, Arc::new(SystemClock)).await?;
        tell(&report, self.format)?;
        Ok(if report.conforms() { End::Fine } else { End::Finding })
    }

    fn check(&self) -> Result<(), CommandError> {
        let urls = [
            ("--issuer", Some(&self.issuer)),
            ("--token-url", self.token_url.as_ref()),
            ("--idp-url", self.idp.idp_url.as_ref()),
        ];
        for (option, url) in urls.into_iter().filter_map(|(option, url)| Some((option, url?))) {
            let is_http = Url::parse(url).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
            if !is_http {
                return Err(format!("{option}: expected a URL such as https://auth.example.com").into());
            }
        }
        let is_known =
            |only: &String| requirements().iter().any(|requirement| requirement.id.starts_with(only));
        match self.only.iter().find(|only| !is_known(only)) {
            Some(unknown) => {
                Err(format!("--only: {unknown} is neither an id nor a chapter; JAG-07 and TOK are").into())
            }
            None if self.clients.client_secret.is_none() && !self.print_setup => {
                Err("expected the client's secret in CONFORMANCE_CLIENT_SECRET or --client-secret".into())
            }
            None => Ok(()),
        }
    }

    fn target(&self) -> TestTarget {
        let (clients, assertion) = (&self.clients, &self.assertion);
        let known = |id: &Option<String>, secret: &Option<String>| {
            Some(KnownClient { id: id.clone()?, secret: secret.clone()? })
        };
        TestTarget {
            issuer: self.issuer.clone(),
            token_url: self.token_url.clone(),
            client: KnownClient {
                id: clients.client_id.clone(),
                secret: clients.client_secret.clone().unwrap_or_default(),
            },
            auth: clients.auth,
            other_client: known(&clients.other_client_id, &clients.other_client_secret),
            key_client: clients.key_client_id.clone(),
            introspection: known(&clients.introspection_client_id, &clients.introspection_client_secret),
            resource: assertion.resource.clone(),
            scope: assertion.scope.clone(),
            subject: assertion.subject.clone(),
            email: self.profile.has_email().then(|| assertion.email.clone()),
            profile: self.profile,
            alg: assertion.alg.unwrap_or_else(|| self.profile.algorithm()),
            only: self.only.clone(),
        }
    }
}

fn certificates(path: Option<&Path>) -> Result<Vec<Certificate>, CommandError> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let failed = |error: &dyn std::fmt::Display| format!("--ca-file {}: {error}", path.display());
    let pem = std::fs::read(path).map_err(|error| failed(&error))?;
    Ok(Certificate::from_pem_bundle(&pem).map_err(|error| failed(&error))?)
}

fn tell(report: &ConformanceReport, format: ReportFormat) -> Result<(), CommandError> {
    match format {
        ReportFormat::Text => out::text(report.to_text()),
        ReportFormat::Json => out::json(report.to_json())?,
        ReportFormat::Junit => out::text(report.to_junit()?),
        ReportFormat::Badge => out::text(report.to_badge()),
    }
    Ok(())
}

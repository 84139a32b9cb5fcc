//! `countersign dev-idp`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use super::serve::StopSignals;
use super::{CommandError, CommandResult, End};
use crate::demo::dev_idp::{DevIdp, DevIdpOptions, People};
use crate::demo::identity_provider::Likeness;
use crate::demo::mcp;
use crate::terminal::out::{complain, say};

pub(super) const HELP: &str = "\
Examples:
  countersign dev-idp                      a page at http://127.0.0.1:9400 that gives ID-JAGs for made-up people
  countersign dev-idp --mcp                beside it an MCP server that takes Countersign's tokens
  countersign dev-idp --tls                the same with https, which Claude Code needs
  countersign dev-idp --people people.toml --like keycloak
  ID_JAG=$(curl -sS http://127.0.0.1:9400/id-jag -d person=dana -d client=mcpclient-at-docs)

The file of --people:
  resources = [\"https://mcp.example.com/mcp\"]
  [[people]]
  name = \"dana\"
  email = \"dana@acme.example\"       # optional, as are subject, groups = [\"engineering\"] and assigned = false
  [[clients]]
  id = \"mcp-client\"                 # here; secret and redirect_uris are for clients that sign people in
  secret = \"secret-of-mcp-client\"
  id_at_audience = \"mcpclient-at-docs\"";

#[derive(Debug, Args)]
pub(super) struct DevIdpArgs {
    /// Where it listens; also its issuer's host and port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9400")]
    listen: SocketAddr,
    /// Speak https, with a certificate that is made on the first start.
    #[arg(long)]
    tls: bool,
    /// The issuer of the Countersign that the ID-JAGs are for.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    audience: String,
    /// The product that the assertions look like.
    #[arg(long, value_enum, value_name = "PRODUCT", default_value_t)]
    like: Likeness,
    /// A TOML file with people, clients and resources, in place of the default ones.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// The directory that keeps the signing key and the certificate, so that a restart changes neither.
    #[arg(long, value_name = "DIR", default_value = "dev-idp")]
    dir: PathBuf,
    /// Also run the demonstration's MCP server, which takes the access tokens of --audience.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:9401")]
    mcp: Option<SocketAddr>,
    /// Allow addresses that others can reach. They can then be anybody in it.
    #[arg(long)]
    allow_other_machines: bool,
}

impl DevIdpArgs {
    pub(super) async fn run(self) -> CommandResult {
        let mut signals = StopSignals::listen()?;
        self.check()?;
        let mut people = People::load(self.people.as_deref())?;
        let listener = listen(self.listen, "--listen").await?;
        let mcp = match self.mcp {
            Some(address) => Some(listen(address, "--mcp").await?),
            None => None,
        };
        let resource = mcp.as_ref().map(TcpListener::local_addr).transpose()?;
        let resource = resource.map(|address| mcp::url(&format!("http://{address}")));
        people.resources.splice(0..0, resource.clone());
        let names = people.names().collect::<Vec<_>>().join(", ");
        let idp = DevIdp::new(DevIdpOptions {
            address: listener.local_addr()?,
            tls: self.tls,
            audience: self.audience.clone(),
            likeness: self.like,
            people,
            dir: &self.dir,
        })?;
        self.tell(&idp, &names, resource.as_deref());
        let mut servers = JoinSet::new();
        if let Some((listener, url)) = mcp.zip(resource) {
            let ca_file = idp.ca_file().map(Path::to_owned);
            servers.spawn(mcp::serve(listener, url, self.audience.clone(), ca_file));
        }
        servers.spawn(idp.serve(listener));
        signals.recv().await;
        Ok(End::Fine)
    }

    fn check(&self) -> Result<(), CommandError> {
        for (option, address) in [("--listen", Some(self.listen)), ("--mcp", self.mcp)] {
            let Some(ip) = address.map(|address| address.ip()) else { continue };
            if ip.is_unspecified() {
                Err(format!("{option} {ip}: name one address: the issuer's name is made of it"))?;
            }
            if !ip.is_loopback() && !self.allow_other_machines {
                Err(format!(
                    "{option} {ip}: others could reach it and be anybody. Use 127.0.0.1, or add --allow-other-machines"
                ))?;
            }
        }
        let url = Url::parse(&self.audience).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.as_str().trim_end_matches('/') == self.audience
        });
        if url.is_none_or(|url| url.query().is_some() || url.fragment().is_some()) {
            let expected =
                "expected Countersign's issuer, such as http://127.0.0.1:8080, without a slash at the end";
            Err(format!("--audience {}: {expected}", self.audience))?;
        }
        Ok(())
    }

    /// Prints its addresses, its people, and how to use it.
    fn tell(&self, idp: &DevIdp, names: &str, resource: Option<&str>) {
        complain!("NOT FOR PRODUCTION: whoever reaches this identity provider can be anybody in it.");
        if !self.listen.ip().is_loopback() {
            complain!("OTHER MACHINES CAN REACH IT: {}", self.listen);
        }
        say!("page         {}", idp.origin());
        say!("issuer       {}", idp.issuer());
        let (like, lifetime) = (self.like.name(), self.like.lifetime());
        say!("assertions   for {}, like {like}'s, good for {lifetime} s", self.audience);
        say!("people       {names}");
        if let Some(url) = resource {
            say!("MCP server   {url}");
        }
        say!("\nIn Countersign's configuration:\n");
        say!("  [fetch]\n  private_origins = [\"{}\"]", idp.origin());
        if let Some(file) = idp.ca_file() {
            say!("  ca_file = \"{}\"", file.display());
            say!("\nFor clients on Node, such as Claude Code:\n");
            say!("  export NODE_EXTRA_CA_CERTS=\"{}\"", file.display());
        }
        if self.like.lifetime() > 600 {
            say!("\nThese assertions live longer than Countersign takes by default:\n");
            say!("  [assertion]\n  max_lifetime = \"{}s\"", self.like.lifetime());
        }
        say!("\nAn ID-JAG:\n\n{}", idp.first_command());
    }
}

async fn listen(address: SocketAddr, option: &str) -> Result<TcpListener, CommandError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| CommandError::from(format!("{option}: cannot listen on {address}: {error}")))
}

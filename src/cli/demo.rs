//! `countersign demo`.

use clap::Args as ClapArgs;

use super::serve::StopSignals;
use super::{CommandResult, End};
use crate::demo::narrator::Narrator;
use crate::demo::{CLIENT, DemoParts, DemoPorts, IDP_CLIENT, PORTS, seed, tour};
use crate::policy::counted;
use crate::terminal::out::say;

pub(super) const HELP: &str = "\
Examples:
  countersign demo             keep running, with three things to try
  countersign demo --port 0    the same at free ports
  countersign demo --once      perform everything once; exit 0 if it all went as it should";
/// The first port by default.
const FIRST_PORT: u16 = 9500;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Run everything once and stop: 0 if it all went as it should, 1 otherwise.
    #[arg(long)]
    once: bool,
    /// Print one JSON object per step instead of text.
    #[arg(long)]
    json: bool,
    /// The first of six ports, one after another; 0 takes free ones [default: 9500; with --once, free ones].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(..=(u16::MAX - PORTS) as i64))]
    port: Option<u16>,
}

impl Args {
    fn ports(&self) -> DemoPorts {
        match self.port {
            Some(0) => DemoPorts::Free,
            Some(first) => DemoPorts::From(first),
            None if self.once => DemoPorts::Free,
            None => DemoPorts::From(FIRST_PORT),
        }
    }
}

pub(super) async fn run(args: Args) -> CommandResult {
    let dir = tempfile::tempdir()?;
    let stage = DemoParts::start_at(dir.path(), args.ports()).await?;
    // Everything is at 127.0.0.1, so no name is looked up.
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut narrator = Narrator::new(args.json);
    narrator.heading("Countersign on loopback");
    narrator.say(&format!("authorization server            {}", stage.issuer));
    narrator.say(&format!("MCP server                      {}", stage.mcp_url));
    narrator.say(&format!("Acme's identity provider        {}", stage.acme.0));
    narrator.say(&format!("Globex's identity provider      {}", stage.globex.0));
    narrator.say(&format!("the console's identity provider {}", stage.console.0));
    seed(&http, &stage).await?;
    tour(&http, &stage, &mut narrator).await?;
    // The service would wait for kept-alive connections when it stops.
    drop(http);
    if args.once {
        stage.stop().await?;
        narrator.say(&match narrator.failures() {
            0 => "\n  Everything went as it should.".to_owned(),
            wrong => format!("\n  {} went wrong.", counted(wrong, "step", "steps")),
        });
        return Ok(if narrator.failures() == 0 { End::Fine } else { End::Finding });
    }
    narrator.heading("Three things to try, in another terminal");
    if !args.json {
        say!("{}", three_things(&stage));
    }
    StopSignals::listen()?.recv().await;
    stage.stop().await?;
    Ok(End::Fine)
}

/// Commands that can be pasted into bash and zsh.
fn three_things(stage: &DemoParts) -> String {
    let (issuer, admin, console) = (&stage.issuer, &stage.admin_token, &stage.console_link);
    let rule = stage.policy_dir.join("mine.cedar");
    let rule = rule.display();
    let (sign_in, call) = (sign_in(stage), call_tool(stage));
    format!(
        r#"
1. Sign in as Dana, and call a tool

{sign_in}
{call}

2. Forbid it by a rule of your own, and take the rule away again

cat > '{rule}' <<'CEDAR'
@id("mine")
@reason("freeze")
@error("access_denied")
@message("Nobody gets in during the freeze.")
forbid (principal, action == Action::"AdmitMember", resource == Teamspace::"acme");
CEDAR
until sign_in dana | grep freeze; do sleep 1; done
rm '{rule}'
until sign_in dana | grep token_type; do sleep 1; done

3. Look at it as an administrator: the last decisions, and the console, signed in as the operator

curl -sS '{issuer}/api/v1/teamspaces/acme/sign-ins?limit=3' -H 'Authorization: Bearer {admin}'
echo '{console}'

Press Ctrl-C to stop."#
    )
}

/// Takes the value of a member of JSON out of standard input.
fn pick(member: &str) -> String {
    format!(r#"sed -n 's/.*"{member}":"\([^"]*\)".*/\1/p'"#)
}

/// A shell function: both legs of a sign-in, as an MCP client does them.
fn sign_in(stage: &DemoParts) -> String {
    let (idp, issuer, mcp) = (&stage.acme.0, &stage.issuer, &stage.mcp_url);
    let (id_token, id_jag) = (pick("id_token"), pick("access_token"));
    let (idp_id, idp_secret, id, secret) = (IDP_CLIENT.0, IDP_CLIENT.1, CLIENT.0, CLIENT.1);
    format!(
        r#"sign_in() {{
  ID_TOKEN=$(curl -sS {idp}/login -H 'Content-Type: application/json' \
    -d '{{"client_id":"{idp_id}","user":"'"$1"'"}}' | {id_token})
  ID_JAG=$(curl -sS {idp}/oauth2/v1/token -u '{idp_id}:{idp_secret}' \
    -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \
    -d requested_token_type=urn:ietf:params:oauth:token-type:id-jag \
    -d audience={issuer} -d resource={mcp} -d scope=tools.call -d subject_token="$ID_TOKEN" \
    -d subject_token_type=urn:ietf:params:oauth:token-type:id_token | {id_jag})
  curl -sS {issuer}/oauth2/token -u '{id}:{secret}' \
    -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d assertion="$ID_JAG"
  echo
}}"#
    )
}

fn call_tool(stage: &DemoParts) -> String {
    let (mcp, access_token) = (&stage.mcp_url, pick("access_token"));
    format!(
        r#"TOKEN=$(sign_in dana | {access_token})
curl -sS {mcp} -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: 2025-11-25' \
  -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"whoami","arguments":{{}}}}}}'
echo"#
    )
}

//! `countersign demo`.

use clap::Args as ClapArgs;

use super::{CommandResult, End};
use crate::demo::narrator::Narrator;
use crate::demo::{CLIENT, DemoParts, IDP_CLIENT, seed, tour};
use crate::policy::counted;
use crate::terminal::out::say;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Run everything once and stop: 0 if it all went as it should, 1 otherwise.
    #[arg(long)]
    once: bool,
    /// Print one JSON object per step instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> CommandResult {
    let dir = tempfile::tempdir()?;
    let stage = DemoParts::start(dir.path()).await?;
    // Everything is at 127.0.0.1, so no name is looked up.
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut narrator = Narrator::new(args.json);
    narrator.heading("Countersign on loopback");
    narrator.say(&format!("authorization server  {}", stage.issuer));
    narrator.say(&format!("MCP server            {}", stage.mcp_url));
    narrator.say(&format!("Acme's identity provider    {}", stage.acme.0));
    narrator.say(&format!("Globex's identity provider  {}", stage.globex.0));
    narrator.say(&format!("the console's identity provider  {}", stage.console.0));
    seed(&http, &stage).await?;
    tour(&http, &stage, &mut narrator).await?;
    // The service would wait for kept-alive connections when it stops.
    drop(http);
    if args.once {
        stage.stop().await?;
        let wrong = counted(narrator.failures(), "step", "steps");
        narrator.say(&format!("\n  {wrong} went wrong"));
        return Ok(if narrator.failures() == 0 { End::Fine } else { End::Finding });
    }
    if !args.json {
        say!("{}", instructions(&stage));
    }
    tokio::signal::ctrl_c().await?;
    stage.stop().await?;
    Ok(End::Fine)
}

/// Commands to copy: one sign-in by hand, step by step.
fn instructions(stage: &DemoParts) -> String {
    let pick = |member: &str| format!("sed -n 's/.*\"{member}\":\"\\([^\"]*\\)\".*/\\1/p'");
    let (idp, issuer, mcp) = (&stage.acme.0, &stage.issuer, &stage.mcp_url);
    let (id_token, access_token) = (pick("id_token"), pick("access_token"));
    let (idp_id, idp_secret, id, secret) = (IDP_CLIENT.0, IDP_CLIENT.1, CLIENT.0, CLIENT.1);
    let (admin, console) = (&stage.admin_token, &stage.console_link);
    format!(
        r#"
By hand
───────
ID_TOKEN=$(curl -s {idp}/login -H 'Content-Type: application/json' \
  -d '{{"user":"dana","client_id":"{idp_id}"}}' | {id_token})
ID_JAG=$(curl -s {idp}/oauth2/v1/token -u '{idp_id}:{idp_secret}' \
  -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \
  -d requested_token_type=urn:ietf:params:oauth:token-type:id-jag \
  -d audience={issuer} -d resource={mcp} -d scope=tools.call -d subject_token=$ID_TOKEN \
  -d subject_token_type=urn:ietf:params:oauth:token-type:id_token | {access_token})
TOKEN=$(curl -s {issuer}/oauth2/token -u '{id}:{secret}' \
  -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d assertion=$ID_JAG | {access_token})
curl -s {mcp} -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: 2025-11-25' \
  -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"whoami","arguments":{{}}}}}}'

The administrator's side
────────────────────────
The console, signed in as the operator; {issuer}/console/sign-in asks who you are:
{console}

curl -s {issuer}/api/v1/teamspaces/acme/sign-ins -H 'Authorization: Bearer {admin}'
curl -s {issuer}/api/v1/teamspaces/acme/members -H 'Authorization: Bearer {admin}'

Press Ctrl-C to stop."#
    )
}

//! `countersign teamspace`.

use clap::{Args, Subcommand};

use super::CommandResult;
use super::api::{api_path, with_query};
use super::noun::{Confirmation, Field, FromFile, ListOptions, OrNone, Session, Verbs, cell, or};

const FIELDS: &[Field] = &[
    Field::column("slug", |t| cell(t, "slug")),
    Field::column("name", |t| cell(t, "name")),
    Field::column("plan", |t| cell(t, "plan")),
    Field::column("member limit", |t| or(t, "member_limit", "none")),
    Field::column("email domains", |t| or(t, "email_domains", "any")),
    Field::detail("time zone", |t| cell(t, "time_zone")),
    Field::detail("id", |t| cell(t, "id")),
    Field::detail("created at", |t| cell(t, "created_at")),
];

#[derive(Debug, Subcommand)]
pub(super) enum TeamspaceCommand {
    /// Add a teamspace.
    #[command(
        after_help = "Examples:\n  countersign teamspace create acme --name Acme --plan enterprise --email-domains acme.com\n  \
        countersign teamspace create --from-file acme.json"
    )]
    Create {
        /// The short name in URLs and policies: lower-case letters, digits and hyphens.
        #[arg(required_unless_present = "from_file")]
        slug: Option<String>,
        #[command(flatten)]
        fields: TeamspaceFields,
        #[command(flatten)]
        from: FromFile,
    },
    /// List the teamspaces by slug.
    #[command(after_help = "Example: countersign teamspace list --all --format json")]
    List(ListOptions),
    /// Show a teamspace.
    #[command(after_help = "Example: countersign teamspace show acme")]
    Show {
        /// The teamspace's slug.
        slug: String,
    },
    /// Change a teamspace: what is not given stays as it is.
    #[command(after_help = "Examples:\n  countersign teamspace update acme --member-limit 200\n  \
        countersign teamspace update acme --email-domains acme.com --email-domains acme.org\n  \
        countersign teamspace update acme --slug acme-inc")]
    Update {
        /// The teamspace's slug.
        slug: String,
        /// The new slug.
        #[arg(long = "slug", value_name = "SLUG")]
        new_slug: Option<String>,
        #[command(flatten)]
        fields: TeamspaceFields,
        /// Rename it even if policies name its slug.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        from: FromFile,
    },
    /// Delete a teamspace with its members and identity providers. Its decision log stays.
    #[command(after_help = "Example: countersign teamspace delete acme --yes")]
    Delete {
        /// The teamspace's slug.
        slug: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

#[derive(Debug, Args)]
pub(super) struct TeamspaceFields {
    /// The name for people.
    #[arg(long)]
    name: Option<String>,
    /// The plan, which policies read.
    #[arg(long, value_parser = ["free", "pro", "enterprise"])]
    plan: Option<String>,
    /// The most members it may have, or `none`.
    #[arg(long, value_name = "N|none")]
    member_limit: Option<OrNone<u64>>,
    /// A domain that its members' emails may have; repeat it for several. `""` means any.
    #[arg(long, value_name = "DOMAIN")]
    email_domains: Vec<String>,
    /// The time zone of its policies, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

impl TeamspaceFields {
    fn body(
        self,
        from: &FromFile,
        slug: Option<String>,
    ) -> Result<super::noun::ApiBody, super::CommandError> {
        let body = from.body()?.with("slug", slug).with("name", self.name).with("plan", self.plan);
        let body = body.with("member_limit", self.member_limit).with("time_zone", self.time_zone);
        Ok(body.with_list("email_domains", &self.email_domains))
    }
}

impl Verbs for TeamspaceCommand {
    async fn run(self, session: &Session) -> CommandResult {
        match self {
            Self::Create { slug, fields, from } => {
                let body = fields.body(&from, slug)?.json();
                let made = session.api.post("/teamspaces", Some(&body)).await?;
                session.changed(&format!("Created teamspace {}", cell(&made, "slug")), &made, FIELDS)
            }
            Self::List(options) => session.list("/teamspaces", &options, ("teamspaces", FIELDS)).await,
            Self::Show { slug } => {
                session.show(&session.api.get(&api_path(&["teamspaces", &slug])?).await?, FIELDS)
            }
            Self::Update { slug, new_slug, fields, force, from } => {
                let path = api_path(&["teamspaces", &slug])?;
                let path = with_query(&path, force.then_some(("force", "true")));
                let changed = session.api.patch(&path, &fields.body(&from, new_slug)?.change()?).await?;
                session.changed(&format!("Changed teamspace {slug}"), &changed, FIELDS)
            }
            Self::Delete { slug, confirmation } => {
                session.delete(&["teamspaces", &slug], &format!("teamspace {slug}"), &confirmation).await
            }
        }
    }
}

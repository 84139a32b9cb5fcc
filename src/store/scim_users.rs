//! Members as identity providers describe them by SCIM.

use diesel::prelude::*;

use super::schema::scim_users;
use super::{AnyConnection, StoreError, members};
use crate::clock::UnixSeconds;
use crate::model::member::Member;
use crate::scim::UserFilter;

/// A member as the identity provider describes them.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = scim_users)]
#[diesel(treat_none_as_null = true)]
pub struct ScimUser {
    /// The member, who is not removed.
    pub member_id: String,
    /// The teamspace of the member.
    pub teamspace_id: String,
    /// The `userName` in lower case.
    pub user_name: String,
    /// The id at the identity provider.
    pub external_id: Option<String>,
    /// The other attributes as the identity provider sent them, as JSON.
    pub profile: String,
    /// When the identity provider added them.
    pub created_at: UnixSeconds,
    /// When the identity provider last changed them.
    pub updated_at: UnixSeconds,
    /// Whether the identity provider deactivated them. Only then does it bring them back.
    pub deactivated: bool,
}

/// Which users of a teamspace are listed.
#[derive(Debug)]
pub struct ScimUserQuery {
    /// None for all.
    pub filter: Option<UserFilter>,
    /// How many are skipped.
    pub offset: i64,
    /// How many are listed at the most.
    pub limit: i64,
}

/// One user of a teamspace, by the member's id.
pub fn find(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    member_id: &str,
) -> Result<Option<ScimUser>, StoreError> {
    let own = scim_users::table.find(member_id).filter(scim_users::teamspace_id.eq(teamspace_id));
    Ok(own.select(ScimUser::as_select()).first(connection).optional()?)
}

/// Whether a teamspace has a user with a name, which is in lower case.
pub fn is_taken(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    user_name: &str,
) -> Result<bool, StoreError> {
    let own = scim_users::table
        .filter(scim_users::teamspace_id.eq(teamspace_id))
        .filter(scim_users::user_name.eq(user_name));
    Ok(diesel::select(diesel::dsl::exists(own)).get_result(connection)?)
}

/// Lists users of a teamspace by name, with the members whom they are, and says how many there are.
pub fn list(
    connection: &mut AnyConnection,
    teamspace_id: &str,
    query: ScimUserQuery,
) -> Result<(Vec<(ScimUser, Member)>, i64), StoreError> {
    let of_email = match &query.filter {
        Some(UserFilter::Email(email)) => members::find_by_email(connection, teamspace_id, email)?,
        _ => None,
    };
    let matching = || {
        let own = scim_users::table.filter(scim_users::teamspace_id.eq(teamspace_id)).into_boxed();
        match &query.filter {
            None => own,
            Some(UserFilter::Id(id)) => own.filter(scim_users::member_id.eq(id)),
            Some(UserFilter::UserName(name)) => own.filter(scim_users::user_name.eq(name)),
            Some(UserFilter::ExternalId(id)) => own.filter(scim_users::external_id.eq(id)),
            Some(UserFilter::Email(_)) => {
                let id = of_email.as_ref().map(|member| member.id.as_str()).unwrap_or_default();
                own.filter(scim_users::member_id.eq(id))
            }
        }
    };
    let total: i64 = matching().count().get_result(connection)?;
    let page = matching().order(scim_users::user_name.asc()).offset(query.offset).limit(query.limit);
    let users: Vec<ScimUser> = page.select(ScimUser::as_select()).load(connection)?;
    let ids: Vec<&str> = users.iter().map(|user| user.member_id.as_str()).collect();
    let mut found = members::by_ids(connection, teamspace_id, &ids)?;
    let with_member = |user: ScimUser| found.remove(&user.member_id).map(|member| (user, member));
    Ok((users.into_iter().filter_map(with_member).collect(), total))
}

/// Adds a user. A name that the teamspace already has is a unique violation.
pub fn insert(connection: &mut AnyConnection, user: &ScimUser) -> QueryResult<()> {
    diesel::insert_into(scim_users::table).values(user).execute(connection)?;
    Ok(())
}

/// Replaces what is known of a user. A name that another one has is a unique violation.
pub fn update(connection: &mut AnyConnection, user: &ScimUser) -> QueryResult<()> {
    diesel::update(scim_users::table.find(&user.member_id)).set(user).execute(connection)?;
    Ok(())
}

//! The MCP servers that tokens are issued for (`resource`, RFC 8707).

use diesel::prelude::*;

use super::schema::resources;
use super::{AnyConnection, StoreError, from_json, to_json};
use crate::clock::UnixSeconds;
use crate::model::resource::Resource;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = resources)]
#[diesel(treat_none_as_null = true)]
struct ResourceRow {
    id: String,
    identifier: String,
    normalized: String,
    name: String,
    scopes: String,
    default_scopes: String,
    teamspaces: Option<String>,
    created_at: UnixSeconds,
}

impl TryFrom<&Resource> for ResourceRow {
    type Error = StoreError;

    fn try_from(r: &Resource) -> Result<Self, StoreError> {
        Ok(Self {
            id: r.id.clone(),
            identifier: r.identifier.clone(),
            normalized: r.normalized.clone(),
            name: r.name.clone(),
            scopes: serde_json::to_string(&r.scopes).map_err(|e| StoreError::Damaged(e.to_string()))?,
            default_scopes: to_json(&r.default_scopes),
            teamspaces: r.teamspaces.as_deref().map(to_json),
            created_at: r.created_at,
        })
    }
}

impl TryFrom<ResourceRow> for Resource {
    type Error = StoreError;

    fn try_from(row: ResourceRow) -> Result<Self, StoreError> {
        Ok(Self {
            scopes: from_json(&row.scopes)?,
            default_scopes: from_json(&row.default_scopes)?,
            teamspaces: row.teamspaces.as_deref().map(from_json).transpose()?,
            id: row.id,
            identifier: row.identifier,
            normalized: row.normalized,
            name: row.name,
            created_at: row.created_at,
        })
    }
}

/// All of them, by identifier.
pub fn all(connection: &mut AnyConnection) -> Result<Vec<Resource>, StoreError> {
    let rows: Vec<ResourceRow> = resources::table
        .select(ResourceRow::as_select())
        .order(resources::identifier.asc())
        .load(connection)?;
    rows.into_iter().map(Resource::try_from).collect()
}

/// Adds a resource. A taken identifier is a unique violation.
pub fn insert(connection: &mut AnyConnection, resource: &Resource) -> Result<(), StoreError> {
    diesel::insert_into(resources::table).values(ResourceRow::try_from(resource)?).execute(connection)?;
    Ok(())
}

/// Replaces one's properties; the id stays.
pub fn update(connection: &mut AnyConnection, resource: &Resource) -> Result<(), StoreError> {
    diesel::update(resources::table.filter(resources::id.eq(&resource.id)))
        .set(ResourceRow::try_from(resource)?)
        .execute(connection)?;
    Ok(())
}

/// Removes a resource; tokens issued for it remain valid until they expire.
pub fn delete(connection: &mut AnyConnection, id: &str) -> QueryResult<usize> {
    diesel::delete(resources::table.filter(resources::id.eq(id))).execute(connection)
}

/// Replaces or removes a teamspace's slug in the lists of teamspaces that resources are offered to.
pub fn replace_teamspace(
    connection: &mut AnyConnection,
    slug: &str,
    new: Option<&str>,
) -> Result<(), StoreError> {
    for mut resource in all(connection)? {
        let Some(slugs) = resource.teamspaces.as_mut().filter(|slugs| slugs.iter().any(|s| s == slug)) else {
            continue;
        };
        slugs.retain(|s| s != slug);
        slugs.extend(new.map(str::to_owned));
        update(connection, &resource)?;
    }
    Ok(())
}

/// One by its id.
pub fn find(connection: &mut AnyConnection, id: &str) -> Result<Option<Resource>, StoreError> {
    let row: Option<ResourceRow> =
        resources::table.find(id).select(ResourceRow::as_select()).first(connection).optional()?;
    row.map(Resource::try_from).transpose()
}

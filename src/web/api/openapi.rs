//! The API's description in OpenAPI 3.1. Each handler describes its own part with `utoipa::path`: method, path, query,
//! body, answer, and the codes of its own refusals. The parts that follow from these are added here for all handlers.

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::AllOfBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::{ServerBuilder, ServerVariableBuilder};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, License, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Ref,
    RefOr, Required, Response, SecurityRequirement, Type,
};

/// The name of the security scheme.
const ADMIN_TOKEN: &str = "admin_token";

/// Codes that are alone in their response in many operations.
const SHARED: [&str; 5] =
    ["unauthorized", "body_too_large", "content_type_unsupported", "rate_limited", "unavailable"];

/// The description of an API without routes.
pub fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Countersign admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .license(Some(License::new("Apache-2.0")))
        .description(Some(
            "Administers a Countersign deployment. Lists come in pages: `?limit=&cursor=`. Unknown members of a body \
             are errors. A change is in force when it is answered. A refusal is a problem (RFC 9457) with a stable \
             `code`.",
        ))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// Adds the parts that every operation has. The server is at `issuer`, or at a URL that the reader fills in.
pub fn complete(mut api: OpenApi, issuer: Option<&str>) -> OpenApi {
    let variable = ServerVariableBuilder::new()
        .default_value(issuer.unwrap_or("https://auth.example.com"))
        .description(Some("`issuer` of the deployment's configuration"));
    let server = ServerBuilder::new().url("{issuer}/api/v1").parameter("issuer", variable).build();
    api.servers = Some(vec![server]);
    api.security = Some(vec![SecurityRequirement::new(ADMIN_TOKEN, Vec::<String>::new())]);
    let components = api.components.get_or_insert_with(Components::new);
    components.schemas.insert("Problem".to_owned(), problem());
    components.add_security_scheme(ADMIN_TOKEN, admin_token());
    for code in SHARED {
        let mut response = Response::new(code);
        describe_refusal(&mut response);
        components.responses.insert(code.to_owned(), response.into());
    }
    for (path, item) in &mut api.paths.paths {
        let operations = operations(item);
        operations.into_iter().for_each(|operation| complete_operation(path, operation));
    }
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

fn admin_token() -> SecurityScheme {
    let text = "An admin token: of an operator, or of one teamspace (`countersign admin-token create`).";
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text));
    SecurityScheme::Http(scheme.build())
}

/// The form of a refusal. Some have more members, such as `checks`.
fn problem() -> RefOr<utoipa::openapi::Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let mut problem = ObjectBuilder::new().description(Some("A refusal (RFC 9457)."));
    for (name, form) in [
        ("type", text()),
        ("title", text()),
        ("status", ObjectBuilder::new().schema_type(Type::Integer)),
        ("code", text().description(Some("Stable; programs go by it."))),
        ("detail", text().description(Some("For people: what is wrong, and what to do."))),
    ] {
        problem = problem.property(name, form).required(name);
    }
    problem.build().into()
}

fn complete_operation(path: &str, operation: &mut Operation) {
    let noun = noun(path);
    let function = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(format!("{}_{function}", noun.replace('-', "_")));
    operation.tags = Some(vec![noun.to_owned()]);
    let names: Vec<String> = operation
        .parameters
        .iter()
        .flatten()
        .filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter.name.clone()),
            RefOr::Ref(_) => None,
        })
        .collect();
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path: Vec<Parameter> = in_path.map(|name| path_parameter(noun, name)).collect();
    let has = |name: &str| names.iter().any(|named| named == name);
    let mut codes =
        vec![(401, "unauthorized"), (403, "policy_denied"), (429, "rate_limited"), (503, "unavailable")];
    if !in_path.is_empty() {
        codes.extend([(400, "query_invalid"), (404, "not_found")]);
    } else if !names.is_empty() {
        codes.push((400, "query_invalid"));
    }
    codes.extend(has("limit").then_some((400, "limit_invalid")));
    codes.extend(has("cursor").then_some((400, "cursor_invalid")));
    if operation.request_body.is_some() {
        codes.extend([(400, "body_malformed"), (413, "body_too_large")]);
        codes.extend([(415, "content_type_unsupported"), (422, "body_invalid")]);
    }
    let parameters = operation.parameters.get_or_insert_default();
    parameters.splice(0..0, in_path.into_iter().map(RefOr::T));
    add_refusals(operation, &codes);
}

/// The subject of a path's operations.
fn noun(path: &str) -> &str {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or_default();
    // Paths below a teamspace's slug belong to the teamspace.
    if first == "teamspaces" { parts.nth(1).unwrap_or(first) } else { first }
}

fn path_parameter(noun: &str, name: &str) -> Parameter {
    let meaning = match (noun, name) {
        (_, "slug") => "Slug of the teamspace.",
        ("clients", "id") => "`client_id` of the client.",
        ("policies", _) => "Hash of the set, or how it begins.",
        _ => "Id, as the list of them tells.",
    };
    let mut parameter = Parameter::new(name);
    parameter.parameter_in = ParameterIn::Path;
    parameter.required = Required::True;
    parameter.description = Some(meaning.to_owned());
    parameter.schema = Some(ObjectBuilder::new().schema_type(Type::String).into());
    parameter
}

/// Adds codes to the handler's own, as a list in the response's description, and gives each response its form.
fn add_refusals(operation: &mut Operation, codes: &[(u16, &'static str)]) {
    let responses = &mut operation.responses.responses;
    for (status, code) in codes {
        let status = status.to_string();
        if let Some(RefOr::T(response)) = responses.get_mut(&status) {
            response.description = format!("{code}, {}", response.description);
        } else {
            let response = match SHARED.contains(code) {
                true => Ref::from_response_name(*code).into(),
                false => Response::new(*code).into(),
            };
            responses.insert(status, response);
        }
    }
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        let known = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
        match known.filter(StatusCode::is_success) {
            Some(status) => response.description = status.canonical_reason().unwrap_or_default().to_owned(),
            None => describe_refusal(response),
        }
    }
}

fn describe_refusal(response: &mut Response) {
    let mut codes: Vec<&str> = response.description.split(", ").collect();
    codes.sort_unstable();
    codes.dedup();
    let is_code = |code: &&str| code.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let (codes, others): (Vec<&str>, Vec<&str>) = codes.into_iter().partition(is_code);
    let quoted = codes.iter().map(|code| format!("`{code}`"));
    let told: Vec<String> = quoted.chain(others.iter().map(|&other| other.to_owned())).collect();
    let problem = Ref::from_schema_name("Problem");
    let form: RefOr<_> = match others.is_empty() {
        false => problem.into(),
        true => {
            let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
            AllOfBuilder::new().item(problem).item(ObjectBuilder::new().property("code", code)).into()
        }
    };
    response.description = told.join(", ");
    let content = ContentBuilder::new().schema(Some(form)).build();
    response.content.insert("application/problem+json".to_owned(), content.into());
}

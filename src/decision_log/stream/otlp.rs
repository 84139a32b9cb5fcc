//! OpenTelemetry logs: OTLP over HTTP in its JSON encoding (OTLP 1.x, "OTLP/HTTP").

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, redirect};
use serde_json::{Value, json};
use url::Url;

use super::record::Record;
use super::{SEND, SendError};
use crate::app::App;
use crate::config::LogStream;
use crate::resolver::LookupError;

/// The most that is read of an answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// Statuses after which the same data is sent again (OTLP, "Retryable Response Codes").
const RETRYABLE: [u16; 4] = [429, 502, 503, 504];

/// An OpenTelemetry collector.
pub(super) struct Otlp {
    stream: String,
    url: Url,
    client: Client,
    /// The attributes that name the sender.
    resource: Value,
}

impl Otlp {
    pub(super) fn new(url: Url, stream: &LogStream, app: &App) -> Result<Self, String> {
        let resource = json!({ "attributes": [
            attribute("service.name", "countersign"),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
            attribute("countersign.issuer", &app.config.issuer),
        ]});
        let client = client(stream, app)?;
        Ok(Self { stream: stream.name.clone(), url, client, resource })
    }

    /// Sends the rows in one request.
    pub(super) async fn export(&self, records: &[Record]) -> Result<(), SendError> {
        let records: Vec<Value> = records.iter().map(log_record).collect();
        let scope = json!({ "name": "countersign.sign_ins" });
        let scoped = json!([{ "scope": scope, "logRecords": records }]);
        let body = json!({ "resourceLogs": [{ "resource": self.resource, "scopeLogs": scoped }] });
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let response = request.body(body.to_string()).send().await.map_err(|error| why(&error))?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let retry_after = RETRYABLE.contains(&status).then(|| retry_after(&response)).flatten();
            return Err(SendError::Status { status, retry_after });
        }
        // The receiver has the rows, even if its answer cannot be read.
        let rejected = rejected(response).await.unwrap_or_default();
        if rejected > 0 {
            // They must not be sent again (OTLP, "Partial Success"), since the result would be the same.
            tracing::error!(stream = self.stream, rejected, "the receiver rejected rows for good");
        }
        Ok(())
    }
}

/// This is not the guarded fetcher: the operator chooses the collector, and most collectors have private addresses.
fn client(stream: &LogStream, app: &App) -> Result<Client, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &stream.headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is no HTTP header"))?;
        let mut value =
            HeaderValue::from_str(value.expose()).map_err(|_| format!("`{name}` has no HTTP value"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let mut builder = Client::builder()
        .no_proxy()
        .dns_resolver(Arc::new(app.resolver.clone()))
        .redirect(redirect::Policy::none())
        .timeout(SEND)
        .default_headers(headers)
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &app.config.fetch.ca_file {
        let pem = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        for root in Certificate::from_pem_bundle(&pem).map_err(|e| format!("{}: {e}", path.display()))? {
            builder = builder.add_root_certificate(root);
        }
    }
    builder.build().map_err(|e| e.to_string())
}

/// The row is the record's body. Severities follow the log data model's mapping from syslog.
fn log_record(record: &Record) -> Value {
    let (number, text) = if record.is_refused { (10, "INFO2") } else { (9, "INFO") };
    json!({
        "timeUnixNano": format!("{}000000000", record.at),
        "severityNumber": number,
        "severityText": text,
        "eventName": "countersign.sign_in",
        "body": any_value(&record.fields),
        // Records with one uid are one (semantic conventions, `log.record.uid`).
        "attributes": [attribute("log.record.uid", &record.request_id)],
    })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// OTLP's `AnyValue`; its 64-bit integers are decimal strings.
fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::Number(value) if value.is_f64() => json!({ "doubleValue": value }),
        Value::Number(value) => json!({ "intValue": value.to_string() }),
        Value::String(value) => json!({ "stringValue": value }),
        Value::Array(values) => {
            let values: Vec<Value> = values.iter().map(any_value).collect();
            json!({ "arrayValue": { "values": values } })
        }
        Value::Object(fields) => {
            let pair = |(key, value): (&String, &Value)| json!({ "key": key, "value": any_value(value) });
            json!({ "kvlistValue": { "values": fields.iter().map(pair).collect::<Vec<_>>() } })
        }
    }
}

/// The form with seconds; after an HTTP date the usual pause is kept.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The number of rows that the receiver reports as rejected.
async fn rejected(mut response: Response) -> Option<i64> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    let answer: Value = serde_json::from_slice(&body).ok()?;
    let rejected = answer.get("partialSuccess")?.get("rejectedLogRecords")?;
    rejected.as_i64().or_else(|| rejected.as_str()?.parse().ok())
}

/// A constant text for what went wrong.
fn why(error: &reqwest::Error) -> SendError {
    if let Some(lookup) = LookupError::behind(error) {
        SendError::Lookup(lookup)
    } else if error.is_timeout() {
        SendError::Timeout
    } else if error.is_connect() {
        SendError::Unreachable("no connection (name, network or certificate)")
    } else {
        SendError::Unreachable("the connection broke")
    }
}

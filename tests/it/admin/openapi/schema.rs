//! Whether a value has a form: the part of JSON Schema that the description uses, and more strictly than it says: a
//! member that is not described is an error.

use std::collections::BTreeSet;

use serde_json::Value;

pub struct Document(pub Value);

impl Document {
    pub fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.resolved(schema);
        self.check_one(schema, value)?;
        let (Some(object), Some(known)) = (value.as_object(), self.members(schema)) else { return Ok(()) };
        match object.keys().find(|name| !known.contains(name.as_str())) {
            Some(unknown) => Err(format!("`{unknown}` is not described")),
            None => Ok(()),
        }
    }

    fn check_one(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.resolved(schema);
        for part in list(schema, "allOf") {
            self.check_one(part, value)?;
        }
        if !list(schema, "oneOf").is_empty() {
            let fitting = list(schema, "oneOf").iter().filter(|form| self.check(form, value).is_ok());
            return if fitting.count() == 1 {
                Ok(())
            } else {
                Err(format!("{value} fits not exactly one form"))
            };
        }
        check_type(schema, value)?;
        if !list(schema, "enum").is_empty() && !list(schema, "enum").contains(value) {
            return Err(format!("{value} is none of the values"));
        }
        for name in list(schema, "required").iter().filter_map(Value::as_str) {
            value.get(name).ok_or(format!("`{name}` is missing"))?;
        }
        for (name, form) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(member) = value.get(name) {
                self.check(form, member).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        if !schema["items"].is_null() {
            for item in value.as_array().into_iter().flatten() {
                self.check(&schema["items"], item)?;
            }
        }
        Ok(())
    }

    fn resolved<'d>(&'d self, schema: &'d Value) -> &'d Value {
        match schema["$ref"].as_str() {
            Some(to) => {
                self.0.pointer(to.trim_start_matches('#')).unwrap_or_else(|| panic!("{to} is not there"))
            }
            None => schema,
        }
    }

    /// The members that an object may have; none where it may have any.
    fn members<'d>(&'d self, schema: &'d Value) -> Option<BTreeSet<&'d str>> {
        let schema = self.resolved(schema);
        if schema["additionalProperties"].is_object() || !list(schema, "oneOf").is_empty() {
            return None;
        }
        let mut known = BTreeSet::new();
        for part in list(schema, "allOf") {
            known.extend(self.members(part)?);
        }
        match (schema["properties"].as_object(), known.is_empty()) {
            (None, true) => None,
            (own, _) => {
                known.extend(own.into_iter().flatten().map(|(name, _)| name.as_str()));
                Some(known)
            }
        }
    }
}

fn check_type(schema: &Value, value: &Value) -> Result<(), String> {
    let has = |name: &Value| match name.as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(types) => types.iter().any(has),
        one => has(one),
    };
    if fits { Ok(()) } else { Err(format!("{value} is no {}", schema["type"])) }
}

fn list<'s>(schema: &'s Value, name: &str) -> &'s [Value] {
    schema[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

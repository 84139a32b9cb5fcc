//! Patches (RFC 7644 §3.5.2), in the forms that identity providers send: with a path or without, and in either case.

use serde_json::{Map, Value};

use super::document::{UserDocument, key_in, read_object, truth};
use super::fault::ScimFault;
use super::path::{AttributePath, Selection};

/// The most operations of one patch.
const MAX_OPERATIONS: usize = 50;

/// The operations of a patch, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct UserPatch(Vec<PatchOperation>);

#[derive(Debug, Clone, PartialEq)]
struct PatchOperation {
    verb: PatchVerb,
    /// None: the value is an object with the attributes.
    path: Option<AttributePath>,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PatchVerb {
    Add,
    Replace,
    Remove,
}

impl UserPatch {
    /// Reads the body of a request.
    pub fn read(body: &[u8]) -> Result<Self, ScimFault> {
        let mut object = read_object(body)?;
        let key = key_in(&object, "Operations");
        let Some(Value::Array(operations)) = object.remove(&key) else { return Err(ScimFault::Operation) };
        match operations.len() {
            0 => Err(ScimFault::Operation),
            1..=MAX_OPERATIONS => {
                operations.into_iter().map(PatchOperation::of).collect::<Result<_, _>>().map(Self)
            }
            _ => Err(ScimFault::TooManyOperations),
        }
    }

    /// Changes a document.
    pub fn apply(self, document: &mut UserDocument) {
        for PatchOperation { verb, path, value } in self.0 {
            match (path, value) {
                (Some(path), value) => change(&mut document.0, &path, verb, value),
                (None, Value::Object(attributes)) => {
                    for (name, value) in attributes {
                        // What is no path is no attribute of ours.
                        if let Ok(path) = name.parse() {
                            change(&mut document.0, &path, verb, value);
                        }
                    }
                }
                (None, _) => {}
            }
        }
    }
}

impl PatchOperation {
    fn of(operation: Value) -> Result<Self, ScimFault> {
        let Value::Object(mut members) = operation else { return Err(ScimFault::Operation) };
        let mut take = |name| members.remove(&key_in(&members, name)).unwrap_or_default();
        let (op, path, value) = (take("op"), take("path"), take("value"));
        let verb = match op.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("add") => PatchVerb::Add,
            Some("replace") => PatchVerb::Replace,
            Some("remove") => PatchVerb::Remove,
            _ => return Err(ScimFault::Operation),
        };
        let path = match path {
            Value::Null => None,
            Value::String(path) if path.is_empty() => None,
            Value::String(path) => Some(path.parse()?),
            _ => return Err(ScimFault::Path),
        };
        match (verb, &path, &value) {
            (PatchVerb::Remove, None, _) => Err(ScimFault::NoTarget),
            (PatchVerb::Add | PatchVerb::Replace, None, value) if !value.is_object() => {
                Err(ScimFault::Operation)
            }
            _ => Ok(Self { verb, path, value }),
        }
    }
}

/// Changes what is at a path.
fn change(document: &mut Map<String, Value>, path: &AttributePath, verb: PatchVerb, value: Value) {
    let object = match &path.extension {
        Some(urn) => object_at(document, urn),
        None => Some(document),
    };
    let Some(object) = object else { return };
    let key = key_in(object, &path.attribute);
    match (&path.selection, &path.sub_attribute) {
        (None, None) => set(object, key, verb, value),
        (None, Some(_)) if !object.get(&key).is_some_and(Value::is_array) => {
            if let Some(object) = object_at(object, &key) {
                set_part(object, path, verb, value);
            }
        }
        _ => {
            if let Some(list) = list_at(object, &key) {
                change_items(list, path, verb, &value);
            }
        }
    }
}

/// Changes the values of an attribute that a path selects. One that is added or replaced is made if there is none:
/// identity providers do not ask first.
fn change_items(list: &mut Vec<Value>, path: &AttributePath, verb: PatchVerb, value: &Value) {
    let is_meant =
        |item: &Value| path.selection.as_ref().is_none_or(|selection| is_selected(item, selection));
    if verb == PatchVerb::Remove && path.sub_attribute.is_none() {
        return list.retain(|item| !is_meant(item));
    }
    if let Some(selection) = &path.selection
        && verb != PatchVerb::Remove
        && !list.iter().any(is_meant)
    {
        list.push(Map::from_iter([(selection.attribute.clone(), selection.value.clone())]).into());
    }
    for item in list.iter_mut().filter(|item| is_meant(item)) {
        if let Value::Object(item) = item {
            set_part(item, path, verb, value.clone());
        }
    }
}

/// Sets the part of a value that a path names, or the parts that the new value has.
fn set_part(object: &mut Map<String, Value>, path: &AttributePath, verb: PatchVerb, value: Value) {
    match (&path.sub_attribute, value) {
        (Some(part), value) => {
            let key = key_in(object, part);
            set(object, key, verb, value);
        }
        (None, Value::Object(parts)) => parts.into_iter().for_each(|(part, value)| {
            let key = key_in(object, &part);
            set(object, key, verb, value);
        }),
        (None, _) => {}
    }
}

/// Sets one member of an object. What is added to a list goes behind its items, and objects are merged.
fn set(object: &mut Map<String, Value>, key: String, verb: PatchVerb, value: Value) {
    if verb == PatchVerb::Remove {
        object.remove(&key);
        return;
    }
    match (object.get_mut(&key), value) {
        (Some(Value::Object(old)), Value::Object(new)) => new.into_iter().for_each(|(part, value)| {
            let part = key_in(old, &part);
            old.insert(part, value);
        }),
        (Some(Value::Array(old)), Value::Array(new)) if verb == PatchVerb::Add => {
            for item in new {
                if !old.contains(&item) {
                    old.push(item);
                }
            }
        }
        (_, value) => drop(object.insert(key, value)),
    }
}

fn is_selected(item: &Value, selection: &Selection) -> bool {
    let Value::Object(item) = item else { return false };
    match (item.get(&key_in(item, &selection.attribute)), &selection.value) {
        (Some(Value::String(own)), Value::String(wanted)) => own.eq_ignore_ascii_case(wanted),
        (Some(own), wanted) => own == wanted || truth(own).is_some_and(|own| truth(wanted) == Some(own)),
        (None, _) => false,
    }
}

/// The object at a name, which is made if it is not there.
fn object_at<'d>(document: &'d mut Map<String, Value>, name: &str) -> Option<&'d mut Map<String, Value>> {
    let key = key_in(document, name);
    let place = document.entry(key).or_insert_with(|| Map::new().into());
    if !place.is_object() {
        *place = Map::new().into();
    }
    place.as_object_mut()
}

/// The list at a name, which is made if it is not there.
fn list_at<'d>(document: &'d mut Map<String, Value>, key: &str) -> Option<&'d mut Vec<Value>> {
    let place = document.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if !place.is_array() {
        *place = Value::Array(Vec::new());
    }
    place.as_array_mut()
}

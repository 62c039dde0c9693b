//! JSON schemas as text and lists of fields.

use std::collections::BTreeMap;

use app::views::api::{FieldView, SchemaView, Shape, ShapePart};
use utoipa::openapi::schema::{
    AllOf, Array, ArrayItems, KnownFormat, Object, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

/// How far schemas that are made of others are followed: a schema may contain itself.
const DEPTH_MAX: u8 = 8;

/// The schemas with names; what references lead to.
#[derive(Clone, Copy)]
pub(super) struct Schemas<'a>(pub(super) &'a BTreeMap<String, RefOr<Schema>>);

impl Schemas<'_> {
    pub(super) fn views(self) -> Vec<SchemaView> {
        let view = |(name, schema): (&String, &RefOr<Schema>)| SchemaView {
            name: name.clone(),
            description: description(schema),
            includes: includes(schema),
            fields: self.fields(schema),
            shape: shape(schema),
        };
        self.0.iter().map(view).collect()
    }

    /// The fields of an object, those of the objects that it is made of included.
    pub(super) fn fields(self, schema: &RefOr<Schema>) -> Vec<FieldView> {
        self.fields_within(schema, DEPTH_MAX)
    }

    fn fields_within(self, schema: &RefOr<Schema>, depth: u8) -> Vec<FieldView> {
        let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
        let of_all = |items: &[RefOr<Schema>]| {
            items.iter().flat_map(|item| self.fields_within(item, depth)).collect()
        };
        let schema = match schema {
            RefOr::Ref(reference) => {
                let named = self.0.get(name(reference));
                return named.map_or_else(Vec::new, |schema| self.fields_within(schema, depth));
            }
            RefOr::T(schema) => schema,
        };
        match schema {
            Schema::Object(object) => own_fields(object),
            Schema::AllOf(all_of) => of_all(&all_of.items),
            Schema::OneOf(one_of) => of_all(&one_of.items),
            Schema::AnyOf(any_of) => of_all(&any_of.items),
            Schema::Array(_) => Vec::new(),
            // `Schema` may grow.
            _ => Vec::new(),
        }
    }
}

fn own_fields(object: &Object) -> Vec<FieldView> {
    let field = |(name, schema): (&String, &RefOr<Schema>)| FieldView {
        name: name.clone(),
        shape: shape(schema),
        required: object.required.contains(name),
        description: description(schema),
    };
    object.properties.iter().map(field).collect()
}

fn includes(schema: &RefOr<Schema>) -> Vec<String> {
    let RefOr::T(Schema::AllOf(AllOf { items, .. })) = schema else { return Vec::new() };
    let named = items.iter().filter_map(|item| match item {
        RefOr::Ref(reference) => Some(name(reference).to_owned()),
        RefOr::T(_) => None,
    });
    named.collect()
}

/// A schema that may be absent, which is written as one of it and null, has its description inside.
pub(super) fn description(schema: &RefOr<Schema>) -> String {
    let inside = |own: &Option<String>, items: &[RefOr<Schema>]| {
        let first = || items.iter().map(description).find(|text| !text.is_empty());
        own.clone().or_else(first).unwrap_or_default()
    };
    match schema {
        RefOr::Ref(reference) => reference.description.clone(),
        RefOr::T(Schema::Object(object)) => object.description.clone().unwrap_or_default(),
        RefOr::T(Schema::Array(array)) => array.description.clone().unwrap_or_default(),
        RefOr::T(Schema::AllOf(all_of)) => all_of.description.clone().unwrap_or_default(),
        RefOr::T(Schema::OneOf(one_of)) => inside(&one_of.description, &one_of.items),
        RefOr::T(Schema::AnyOf(any_of)) => inside(&any_of.description, &any_of.items),
        RefOr::T(_) => String::new(),
    }
}

pub(super) fn shape(schema: &RefOr<Schema>) -> Shape {
    Shape(parts(schema))
}

fn parts(schema: &RefOr<Schema>) -> Vec<ShapePart> {
    match schema {
        RefOr::Ref(reference) => vec![ShapePart::Schema(name(reference).to_owned())],
        RefOr::T(schema) => inline_parts(schema),
    }
}

fn inline_parts(schema: &Schema) -> Vec<ShapePart> {
    match schema {
        Schema::Object(object) => text(object_text(object)),
        Schema::Array(array) => array_parts(array),
        Schema::OneOf(one_of) => joined(one_of.items.iter().map(parts), " or "),
        Schema::AnyOf(any_of) => joined(any_of.items.iter().map(parts), " or "),
        Schema::AllOf(all_of) => joined(all_of.items.iter().map(parts), " and "),
        // `Schema` may grow.
        _ => text("any value"),
    }
}

fn object_text(object: &Object) -> String {
    if let Some(SchemaFormat::KnownFormat(KnownFormat::Binary)) = object.format {
        return "bytes".to_owned();
    }
    let kinds = kinds(&object.schema_type).join(" or ");
    match &object.enum_values {
        Some(values) => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            format!("{kinds}: {}", values.join(", "))
        }
        None => kinds,
    }
}

fn array_parts(array: &Array) -> Vec<ShapePart> {
    let mut parts = if array.prefix_items.is_empty() {
        let mut parts = text(match (array.min_items, array.max_items) {
            (Some(2), Some(2)) => "pair of ",
            _ => "array of ",
        });
        match &array.items {
            ArrayItems::RefOrSchema(items) => parts.extend(self::parts(items)),
            ArrayItems::False => parts.extend(text("nothing")),
        }
        parts
    } else {
        let mut parts = text("[");
        parts.extend(joined(array.prefix_items.iter().map(inline_parts), ", "));
        parts.extend(text("]"));
        parts
    };
    if kinds(&array.schema_type).contains(&"null") {
        parts.extend(text(" or null"));
    }
    parts
}

fn joined(shapes: impl Iterator<Item = Vec<ShapePart>>, between: &str) -> Vec<ShapePart> {
    let mut all = Vec::new();
    for shape in shapes {
        if !all.is_empty() {
            all.extend(text(between));
        }
        all.extend(shape);
    }
    all
}

fn text(text: impl Into<String>) -> Vec<ShapePart> {
    vec![ShapePart::Text(text.into())]
}

fn kinds(schema_type: &SchemaType) -> Vec<&'static str> {
    match schema_type {
        SchemaType::Type(kind) => vec![kind_name(kind)],
        SchemaType::Array(kinds) => kinds.iter().map(kind_name).collect(),
        SchemaType::AnyValue => vec!["any value"],
    }
}

const fn kind_name(kind: &Type) -> &'static str {
    match kind {
        Type::Object => "object",
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Array => "array",
        Type::Null => "null",
    }
}

/// `Track` of `#/components/schemas/Track`.
fn name(reference: &Ref) -> &str {
    let location = &reference.ref_location;
    location.rsplit_once('/').map_or(location, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(json: serde_json::Value) -> RefOr<Schema> {
        serde_json::from_value(json).unwrap()
    }

    fn read(json: serde_json::Value) -> String {
        let text = |part| match part {
            ShapePart::Text(text) => text,
            ShapePart::Schema(name) => format!("<{name}>"),
        };
        shape(&schema(json)).0.into_iter().map(text).collect()
    }

    #[test]
    fn types_are_read_out() {
        let track = json!({"$ref": "#/components/schemas/Track"});
        let integer = json!({"type": "integer"});
        for (json, text) in [
            (json!({"type": ["string", "null"]}), "string or null"),
            (json!({"type": "string", "format": "binary"}), "bytes"),
            (json!({"type": "array", "items": track}), "array of <Track>"),
            (json!({"oneOf": [track, {"type": "null"}]}), "<Track> or null"),
            (
                json!({"type": "array", "items": {
                    "type": "array", "items": integer, "minItems": 2, "maxItems": 2
                }}),
                "array of pair of integer",
            ),
            (
                json!({"type": "array", "prefixItems": [integer, integer], "items": false}),
                "[integer, integer]",
            ),
            (json!({"type": ["array", "null"], "items": integer}), "array of integer or null"),
            (json!({"type": "string", "enum": ["a", "b"]}), "string: \"a\", \"b\""),
        ] {
            assert_eq!(read(json), text);
        }
    }

    #[test]
    fn what_may_be_absent_keeps_its_description() {
        let nullable = json!({"oneOf": [
            {"$ref": "#/components/schemas/Track", "description": "Where it runs."},
            {"type": "null"}
        ]});
        assert_eq!(description(&schema(nullable)), "Where it runs.");
    }

    #[test]
    fn a_schema_made_of_itself_has_an_end() {
        let own = json!({"allOf": [
            {"$ref": "#/components/schemas/Own"},
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
        ]});
        let named = BTreeMap::from([("Own".to_owned(), schema(own))]);
        let views = Schemas(&named).views();
        assert_eq!(views[0].includes, ["Own"]);
        assert!(views[0].fields.iter().all(|field| field.name == "a" && field.required));
    }
}

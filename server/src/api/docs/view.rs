//! The OpenAPI document as the view of its page.

use std::collections::BTreeMap;

use app::views::api::{
    ApiView, BodyView, ContentView, FieldView, OperationView, ParameterView, ResponseView,
};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::{Components, Content, OpenApi, RefOr, Required, Response};

use super::example;
use super::shapes::{Schemas, description, shape};

/// The operations in the order in which a reader meets them; others follow.
const READING_ORDER: [&str; 24] = [
    "list_sessions",
    "create_session",
    "show_session",
    "missing_chunks",
    "list_events",
    "keepalive",
    "items",
    "tail",
    "finish",
    "discard",
    "delete_session",
    "recording",
    "playback",
    "track_recording",
    "supplement",
    "waveform",
    "list_frames",
    "frame",
    "list_exports",
    "export",
    "start_export",
    "list_jobs",
    "retry_job",
    "check_timeouts",
];

/// `base` is the server's address in the examples.
pub(super) fn of(document: &OpenApi, base: &str) -> ApiView {
    let none = Components::default();
    let named = document.components.as_ref().unwrap_or(&none);
    let operation =
        |path: &str, method, operation| operation_view(named, path, method, operation, base);
    let mut operations: Vec<OperationView> = document
        .paths
        .paths
        .iter()
        .flat_map(|(path, item)| {
            methods(item).map(move |(method, found)| operation(path, method, found))
        })
        .collect();
    operations.sort_by_key(|operation| {
        let place = READING_ORDER.iter().position(|id| *id == operation.anchor);
        place.unwrap_or(READING_ORDER.len())
    });
    ApiView {
        title: document.info.title.clone(),
        version: document.info.version.clone(),
        introduction: document.info.description.clone().unwrap_or_default(),
        operations,
        schemas: Schemas(&named.schemas).views(),
    }
}

fn methods(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    [
        ("GET", &item.get),
        ("HEAD", &item.head),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
        ("OPTIONS", &item.options),
        ("TRACE", &item.trace),
        ("QUERY", &item.query),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn operation_view(
    named: &Components,
    path: &str,
    method: &'static str,
    operation: &Operation,
    base: &str,
) -> OperationView {
    let parameters = operation.parameters.iter().flatten();
    let body = operation.request_body.as_ref();
    let responses = &operation.responses.responses;
    OperationView {
        anchor: operation.operation_id.clone().unwrap_or_else(|| format!("{method}-{path}")),
        method,
        path: path.to_owned(),
        summary: operation.summary.clone().unwrap_or_default(),
        description: operation.description.clone().unwrap_or_default(),
        parameters: parameters
            .filter_map(|parameter| resolved(parameter, &named.parameters))
            .map(parameter_view)
            .collect(),
        body: body
            .and_then(|body| resolved(body, &named.request_bodies))
            .and_then(|body| body_view(named, body)),
        responses: responses
            .iter()
            .filter_map(|(status, response)| {
                Some(response_view(named, status, resolved(response, &named.responses)?))
            })
            .collect(),
        example: example::curl(base, method, path, operation),
    }
}

/// A part of the document, whether it stands in its place or among the shared ones.
fn resolved<'a, T>(part: &'a RefOr<T>, shared: &'a BTreeMap<String, RefOr<T>>) -> Option<&'a T> {
    match part {
        RefOr::T(part) => Some(part),
        RefOr::Ref(reference) => {
            let (_, name) = reference.ref_location.rsplit_once('/')?;
            match shared.get(name)? {
                RefOr::T(part) => Some(part),
                RefOr::Ref(_) => None,
            }
        }
    }
}

fn parameter_view(parameter: &Parameter) -> ParameterView {
    let schema = parameter.schema.as_ref();
    let own = parameter.description.clone();
    ParameterView {
        place: match parameter.parameter_in {
            ParameterIn::Query | ParameterIn::QueryString => "query",
            ParameterIn::Path => "path",
            ParameterIn::Header => "header",
            ParameterIn::Cookie => "cookie",
        },
        field: FieldView {
            name: parameter.name.clone(),
            shape: schema.map(shape).unwrap_or_default(),
            required: is_required(&parameter.required),
            description: own.or_else(|| schema.map(description)).unwrap_or_default(),
        },
    }
}

/// Of the first content type: no operation here takes two.
fn body_view(named: &Components, body: &RequestBody) -> Option<BodyView> {
    let (content_type, content) = body.content.iter().next()?;
    let schema = resolved(content, &named.media_types).and_then(|content| content.schema.as_ref());
    Some(BodyView {
        required: body.required.as_ref().is_some_and(is_required),
        content: content_view(named, content_type, content),
        fields: schema.map(|schema| Schemas(&named.schemas).fields(schema)).unwrap_or_default(),
    })
}

fn response_view(named: &Components, status: &str, response: &Response) -> ResponseView {
    let contents = response.content.iter();
    ResponseView {
        status: status.to_owned(),
        description: response.description.clone(),
        contents: contents
            .map(|(content_type, content)| content_view(named, content_type, content))
            .collect(),
    }
}

fn content_view(named: &Components, content_type: &str, content: &RefOr<Content>) -> ContentView {
    let content = resolved(content, &named.media_types);
    ContentView {
        content_type: content_type.to_owned(),
        shape: content.and_then(|content| content.schema.as_ref()).map(shape),
    }
}

const fn is_required(required: &Required) -> bool {
    match required {
        Required::True => true,
        Required::False => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    #[test]
    fn operations_stand_in_reading_order_and_none_is_left_out_of_it() {
        let (_, document) = api::routes();
        let view = of(&document, "");
        let anchors: Vec<&str> = view.operations.iter().map(|o| o.anchor.as_str()).collect();
        assert_eq!(anchors, READING_ORDER);
    }
}

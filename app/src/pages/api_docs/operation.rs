//! One operation: what it does, takes and answers, and a command that does it.

use leptos::prelude::*;

use super::schema::FieldTable;
use super::{presence, prose, shape_text};
use crate::views::api::{BodyView, ContentView, OperationView, ParameterView, ResponseView};

#[component]
pub(super) fn OperationSection(operation: OperationView) -> impl IntoView {
    let OperationView { anchor, method, path, summary, description, .. } = operation;
    let method_class = format!("badge method-{}", method.to_lowercase());
    let part = |name: &str| format!("{anchor}-{name}");
    let parameters = operation.parameters;
    let parameters =
        (!parameters.is_empty()).then(|| view! { <Parameters id=part("parameters") parameters/> });
    let body = operation.body.map(|body| view! { <Body id=part("body") body/> });
    let responses = view! { <Responses id=part("responses") responses=operation.responses/> };
    view! {
        <section class="entry" aria-labelledby=anchor>
            <h3 id=anchor.clone()>
                <span class=method_class>{method}</span>
                " "
                <code>{path}</code>
            </h3>
            <p class="summary">{prose(&summary)}</p>
            {(!description.is_empty()).then(|| view! { <p>{prose(&description)}</p> })}
            {parameters}
            {body}
            {responses}
            <h4>"Example"</h4>
            <pre><code>{operation.example}</code></pre>
        </section>
    }
}

#[component]
fn Parameters(id: String, parameters: Vec<ParameterView>) -> impl IntoView {
    let row = |ParameterView { place, field }: ParameterView| {
        view! {
            <tr>
                <th scope="row"><code>{field.name}</code></th>
                <td class="type">{shape_text(field.shape)}</td>
                <td class="place">{place}</td>
                <td class="presence">{presence(field.required)}</td>
                <td class="meaning">{prose(&field.description)}</td>
            </tr>
        }
    };
    view! {
        <h4 id=id.clone()>"Parameters"</h4>
        <table class="spec" aria-labelledby=id>
            <thead>
                <tr>
                    <th scope="col">"Name"</th>
                    <th scope="col">"Type"</th>
                    <th scope="col">"Where"</th>
                    <th scope="col">"Required"</th>
                    <th scope="col">"Description"</th>
                </tr>
            </thead>
            <tbody>{parameters.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

#[component]
fn Body(id: String, body: BodyView) -> impl IntoView {
    let fields = body.fields;
    view! {
        <h4 id=id.clone()>"Request body"</h4>
        <p>
            {content_text(body.content)}
            {(!body.required).then_some(". The body may be left out.")}
        </p>
        {(!fields.is_empty()).then(|| view! { <FieldTable labelled_by=id fields/> })}
    }
}

#[component]
fn Responses(id: String, responses: Vec<ResponseView>) -> impl IntoView {
    let row = |response: ResponseView| {
        let class = format!("status status-{}", response.status.get(..1).unwrap_or_default());
        let content = |content| view! { <div>{content_text(content)}</div> };
        view! {
            <tr>
                <th scope="row"><span class=class>{response.status}</span></th>
                <td class="meaning">{prose(&response.description)}</td>
                <td class="content">
                    {response.contents.into_iter().map(content).collect_view()}
                </td>
            </tr>
        }
    };
    view! {
        <h4 id=id.clone()>"Responses"</h4>
        <table class="spec" aria-labelledby=id>
            <thead>
                <tr>
                    <th scope="col">"Status"</th>
                    <th scope="col">"Description"</th>
                    <th scope="col">"Content"</th>
                </tr>
            </thead>
            <tbody>{responses.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

fn content_text(content: ContentView) -> impl IntoView {
    let shape = content.shape.map(|shape| view! { ": "{shape_text(shape)} });
    view! { <code>{content.content_type}</code>{shape} }
}

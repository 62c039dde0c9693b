//! The schemas, and their fields as a table.

use leptos::prelude::*;

use super::{SchemaLink, presence, prose, schema_anchor, shape_text};
use crate::views::api::{FieldView, SchemaView};

#[component]
pub(super) fn SchemaSection(schema: SchemaView) -> impl IntoView {
    let SchemaView { name, description, includes, fields, shape } = schema;
    let anchor = schema_anchor(&name);
    let content = if fields.is_empty() {
        view! { <p>{shape_text(shape)}</p> }.into_any()
    } else {
        view! { <FieldTable labelled_by=anchor.clone() fields/> }.into_any()
    };
    let included = |name| view! { <p>"Includes the fields of "<SchemaLink name/>"."</p> };
    view! {
        <section class="entry" aria-labelledby=anchor>
            <h3 id=anchor.clone()><code>{name}</code></h3>
            {(!description.is_empty()).then(|| view! { <p>{prose(&description)}</p> })}
            {includes.into_iter().map(included).collect_view()}
            {content}
        </section>
    }
}

#[component]
pub(super) fn FieldTable(labelled_by: String, fields: Vec<FieldView>) -> impl IntoView {
    let row = |field: FieldView| {
        view! {
            <tr>
                <th scope="row"><code>{field.name}</code></th>
                <td class="type">{shape_text(field.shape)}</td>
                <td class="presence">{presence(field.required)}</td>
                <td class="meaning">{prose(&field.description)}</td>
            </tr>
        }
    };
    view! {
        <table class="spec" aria-labelledby=labelled_by>
            <thead>
                <tr>
                    <th scope="col">"Field"</th>
                    <th scope="col">"Type"</th>
                    <th scope="col">"Required"</th>
                    <th scope="col">"Description"</th>
                </tr>
            </thead>
            <tbody>{fields.into_iter().map(row).collect_view()}</tbody>
        </table>
    }
}

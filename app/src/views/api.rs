//! What the page about the API shows: the OpenAPI document in plain words. Descriptions may hold
//! `code` between backticks and nothing else that means anything.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiView {
    pub title: String,
    pub version: String,
    pub introduction: String,
    /// In the order in which they are read.
    pub operations: Vec<OperationView>,
    pub schemas: Vec<SchemaView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationView {
    /// Names the operation within the page's address.
    pub anchor: String,
    /// Such as `GET`.
    pub method: &'static str,
    pub path: String,
    pub summary: String,
    /// Empty when the summary says it all.
    pub description: String,
    pub parameters: Vec<ParameterView>,
    pub body: Option<BodyView>,
    pub responses: Vec<ResponseView>,
    /// A command that makes the request.
    pub example: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterView {
    /// Where it stands, such as `path` or `query`.
    pub place: &'static str,
    pub field: FieldView,
}

/// What a request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyView {
    pub required: bool,
    pub content: ContentView,
    pub fields: Vec<FieldView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseView {
    /// Such as `200`.
    pub status: String,
    pub description: String,
    /// One for each content type.
    pub contents: Vec<ContentView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentView {
    /// Such as `application/json`.
    pub content_type: String,
    /// None for what is not described further, such as a file.
    pub shape: Option<Shape>,
}

/// A schema with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaView {
    pub name: String,
    pub description: String,
    /// Names of schemas whose fields are among `fields`.
    pub includes: Vec<String>,
    pub fields: Vec<FieldView>,
    /// What it is when it has no fields of its own.
    pub shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldView {
    pub name: String,
    pub shape: Shape,
    pub required: bool,
    pub description: String,
}

/// A type in words, such as "array of `Track`".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape(pub Vec<ShapePart>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShapePart {
    Text(String),
    /// The name of a schema on the same page.
    Schema(String),
}

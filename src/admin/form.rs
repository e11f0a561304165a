use std::collections::BTreeMap;

use super::{NS, NS_DATA};
use crate::xml::{Element, Writer};

/// A form to be filled in, XEP-0004 §3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What is asked.
    pub fields: Vec<Field>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: Option<&'static str>,
}

/// A list, XEP-0004 §3.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Name and label of each column.
    pub columns: Vec<(&'static str, &'static str)>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
    /// In words, where the rows are not all there are.
    pub note: Option<String>,
}

impl Field {
    /// A line of text.
    #[must_use]
    pub fn text(name: &'static str, label: &'static str) -> Self {
        Self {
            name,
            label,
            kind: "text-single",
            value: None,
        }
    }

    /// A JID.
    #[must_use]
    pub fn jid(name: &'static str, label: &'static str) -> Self {
        Self {
            kind: "jid-single",
            ..Self::text(name, label)
        }
    }

    /// Yes or no, and what it is now.
    #[must_use]
    pub fn yes_or_no(name: &'static str, label: &'static str, now: bool) -> Self {
        Self {
            kind: "boolean",
            value: Some(if now { "1" } else { "0" }),
            ..Self::text(name, label)
        }
    }
}

impl Form {
    pub(super) fn write(&self, title: &str, writer: &mut Writer) {
        writer.open("x", NS_DATA).attr("type", "form");
        writer.leaf("title", NS_DATA, title);
        for field in &self.fields {
            writer.open("field", NS_DATA).attr("var", field.name);
            writer.attr("type", field.kind).attr("label", field.label);
            if let Some(value) = field.value {
                writer.leaf("value", NS_DATA, value);
            }
            writer.close();
        }
        writer.close();
    }
}

impl Table {
    pub(super) fn write(&self, title: &str, writer: &mut Writer) {
        if let Some(note) = &self.note {
            writer.open("note", NS).attr("type", "warn");
            writer.text(note).close();
        }
        writer.open("x", NS_DATA).attr("type", "result");
        writer.leaf("title", NS_DATA, title);
        writer.open("reported", NS_DATA);
        for (name, label) in &self.columns {
            writer.open("field", NS_DATA).attr("var", name);
            writer.attr("label", label).close();
        }
        writer.close();
        for row in &self.rows {
            writer.open("item", NS_DATA);
            for ((name, _), value) in self.columns.iter().zip(row) {
                writer.open("field", NS_DATA).attr("var", name);
                writer.leaf("value", NS_DATA, value).close();
            }
            writer.close();
        }
        writer.close();
    }
}

/// What was filled in, the first value of each field.
pub(super) fn submitted(x: Element<'_>) -> Option<BTreeMap<String, String>> {
    if x.attr("type") != Some("submit") {
        return None;
    }
    let fields = x.children().filter(|field| field.is("field", NS_DATA));
    let fields = fields.take(MAX_FIELDS).filter_map(|field| {
        let value = field.child("value", NS_DATA)?.text().into_owned();
        Some((field.attr("var")?.to_owned(), value))
    });
    Some(fields.collect())
}

/// Fields of a form that are read.
const MAX_FIELDS: usize = 32;

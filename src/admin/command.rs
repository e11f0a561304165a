use std::collections::BTreeMap;

use super::form::{Form, Table, submitted};
use super::{NS, NS_DATA};
use crate::xml::{Element, Writer};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Lists the open calls.
    Calls,
    /// Ends a call.
    EndCall,
    /// Lists the devices that are known, of one person or of all.
    Devices,
    /// Closes the TURN allocations of a person.
    DropAllocations,
    /// Reads certificates again.
    Reload,
    /// Takes no new calls, and stops when those that live have ended.
    Drain,
    /// Opens oneself to everybody, guests among them, or no longer.
    Guests,
}

/// `<command/>` as it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What for; none for a node that is not known.
    pub command: Option<Command>,
    /// XEP-0050 §3.4.
    pub action: Action,
    /// `sessionid`, where a form is under way.
    pub session: Option<String>,
    /// The fields of the form that was filled in; none on the first step.
    pub fields: Option<BTreeMap<String, String>>,
}

/// XEP-0050 §3.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Go on; so does one that names nothing.
    #[default]
    Execute,
    /// Never mind.
    Cancel,
    /// Back to the step before: there is none.
    Prev,
}

/// `<command/>` as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A form to be filled in.
    Ask(Form),
    /// Done, in words.
    Done(String),
    /// Done, and this is what was asked for.
    List(Table),
    /// As it was before.
    Canceled,
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Calls,
        Self::EndCall,
        Self::Devices,
        Self::DropAllocations,
        Self::Reload,
        Self::Drain,
        Self::Guests,
    ];

    /// The node.
    #[must_use]
    pub fn node(self) -> &'static str {
        match self {
            Self::Calls => "urn:x-campana:admin#list-calls",
            Self::EndCall => "urn:x-campana:admin#end-call",
            Self::Devices => "urn:x-campana:admin#list-devices",
            Self::DropAllocations => "urn:x-campana:admin#drop-allocations",
            Self::Reload => "urn:x-campana:admin#reload",
            // XEP-0133 §4.31.
            Self::Drain => "http://jabber.org/protocol/admin#shutdown",
            Self::Guests => "urn:x-campana:guests",
        }
    }

    /// What people are shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Calls => "List calls",
            Self::EndCall => "End a call",
            Self::Devices => "List devices",
            Self::DropAllocations => "Close a person's TURN allocations",
            Self::Reload => "Read certificates again",
            Self::Drain => "Take no new calls, and stop",
            Self::Guests => "Let everybody call me",
        }
    }

    /// Whether it is for admins only.
    #[must_use]
    pub fn is_for_admins(self) -> bool {
        self != Self::Guests
    }

    /// The command of a node.
    #[must_use]
    pub fn of_node(node: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.node() == node)
    }
}

impl Request {
    /// Reads `<command/>`.
    #[must_use]
    pub fn read(element: Element<'_>) -> Self {
        Self {
            command: element.attr("node").and_then(Command::of_node),
            action: match element.attr("action") {
                Some("cancel") => Action::Cancel,
                Some("prev") => Action::Prev,
                _ => Action::Execute,
            },
            session: element
                .attr("sessionid")
                .map(|id| id.chars().take(MAX_SESSION).collect()),
            fields: element.child("x", NS_DATA).and_then(submitted),
        }
    }

    /// A field that was filled in.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let value = self.fields.as_ref()?.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }
}

impl Reply {
    /// Writes the element.
    pub fn write(&self, command: Command, session: &str, writer: &mut Writer) {
        let status = match self {
            Self::Ask(_) => "executing",
            Self::Done(_) | Self::List(_) => "completed",
            Self::Canceled => "canceled",
        };
        writer.open("command", NS).attr("node", command.node());
        writer.attr("sessionid", session).attr("status", status);
        match self {
            Self::Ask(form) => {
                writer.open("actions", NS).attr("execute", "complete");
                writer.leaf("complete", NS, "").close();
                form.write(command.name(), writer);
            }
            Self::Done(words) => {
                writer.open("note", NS).attr("type", "info");
                writer.text(words).close();
            }
            Self::List(table) => table.write(command.name(), writer),
            Self::Canceled => {}
        }
        writer.close();
    }
}

/// Characters of a session id that are given back.
const MAX_SESSION: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Field;
    use crate::xml::{Document, Limits};

    fn read(xml: &str) -> Request {
        let document = Document::parse(xml.as_bytes(), NS, &Limits::default()).unwrap();
        Request::read(document.root())
    }

    #[test]
    fn every_node_names_its_command() {
        for command in Command::ALL {
            assert_eq!(Command::of_node(command.node()), Some(command));
        }
        assert_eq!(Command::of_node("other"), None);
    }

    #[test]
    fn a_form_that_was_filled_in_is_read() {
        let request = read(
            "<command node='urn:x-campana:admin#end-call' sessionid='7' action='complete'>\
             <x xmlns='jabber:x:data' type='submit'><field var='call'><value> 12 </value></field>\
             <field var='empty'/></x></command>",
        );
        assert_eq!(request.command, Some(Command::EndCall));
        assert_eq!(request.field("call"), Some("12"));
        assert_eq!(request.field("empty"), None);
        assert_eq!(request.session.as_deref(), Some("7"));
        let canceled = read(
            "<command node='x' action='cancel'><x xmlns='jabber:x:data' type='cancel'/></command>",
        );
        assert_eq!((canceled.action, canceled.fields), (Action::Cancel, None));
    }

    #[test]
    fn a_form_is_written_with_what_may_be_done() {
        let form = Form {
            fields: vec![Field::text("call", "The call's number")],
        };
        let mut writer = Writer::new("");
        Reply::Ask(form).write(Command::EndCall, "1", &mut writer);
        let xml = writer.finish();
        assert!(
            xml.contains("status='executing'") && xml.contains("<complete/>"),
            "{xml}"
        );
        assert!(xml.contains("var='call'"), "{xml}");
    }
}

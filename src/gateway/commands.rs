//! What ad-hoc commands do.

use std::time::Instant;

use jid::{BareJid, FullJid};
use tracing::info;

use super::iq::{Answer, result_with};
use super::records::{Change, Key, Record};
use super::{Gateway, Inbound, Output};
use crate::admin::{self, Action, Command, Field, Form, Reply, Request, Table};
use crate::disco;
use crate::stanza::{ErrorKind, StanzaError};
use crate::xml::Element;

impl Gateway {
    /// A command is asked for, at the service.
    pub(super) fn command(
        &mut self,
        now: Instant,
        inbound: &Inbound<'_>,
        payload: Element<'_>,
    ) -> Answer {
        let request = Request::read(payload);
        let asker = inbound.from.to_bare();
        let Some(command) = request.command else {
            return Answer::Error(StanzaError::new(ErrorKind::Cancel, "item-not-found"));
        };
        if !self.may_command(&asker, command) {
            return Answer::Error(StanzaError::new(ErrorKind::Auth, "forbidden"));
        }
        let reply = match request.action {
            Action::Cancel => Ok(Reply::Canceled),
            // XEP-0050 §4.4: there is no step before the first.
            Action::Prev => Err(StanzaError::bad_request("there is no step before this")
                .with_application("bad-action", admin::NS)),
            Action::Execute => self.carry_out(now, &asker, command, &request),
        };
        match reply {
            Err(error) => Answer::Error(error),
            Ok(reply) => {
                let session = request.session.unwrap_or_else(|| {
                    self.command_sessions += 1;
                    self.command_sessions.to_string()
                });
                Answer::With(result_with(inbound, &|writer| {
                    reply.write(command, &session, writer);
                }))
            }
        }
    }

    fn carry_out(
        &mut self,
        now: Instant,
        asker: &BareJid,
        command: Command,
        request: &Request,
    ) -> Result<Reply, StanzaError> {
        let ask = |field| {
            Ok(Reply::Ask(Form {
                fields: vec![field],
            }))
        };
        let is_first = request.fields.is_none();
        match command {
            Command::Calls => Ok(Reply::List(self.list_calls(now))),
            Command::EndCall if is_first => ask(Field::text(
                "call",
                "The number of the call in the list of calls",
            )),
            Command::EndCall => {
                let number = request.field("call").and_then(|call| call.parse().ok());
                let (calls, mut cx) = self.calls();
                match number.filter(|number| calls.end(*number, &mut cx)) {
                    Some(number) => {
                        info!(call.id = number, "An admin ended a call");
                        Ok(Reply::Done("The call was ended.".to_owned()))
                    }
                    None => Err(bad_payload("there is no call of this number")),
                }
            }
            Command::Devices if is_first => ask(Field::jid(
                "person",
                "A person's address; all people without one",
            )),
            Command::Devices => match request.field("person").map(BareJid::new) {
                Some(Err(_)) => Err(bad_payload("this is no address of a person")),
                Some(Ok(person)) => Ok(Reply::List(self.list_devices(Some(&person)))),
                None => Ok(Reply::List(self.list_devices(None))),
            },
            Command::DropAllocations if is_first => ask(Field::jid("person", "A person's address")),
            Command::DropAllocations => match request.field("person").map(BareJid::new) {
                Some(Ok(person)) => {
                    self.unused.push(person.to_string());
                    info!("An admin closed the TURN allocations of a person");
                    Ok(Reply::Done("Her allocations were closed.".to_owned()))
                }
                _ => Err(bad_payload("this is no address of a person")),
            },
            Command::Reload => {
                self.orders.push_back(Output::Reload);
                Ok(Reply::Done(
                    "Certificates are read again; the log says how it went.".to_owned(),
                ))
            }
            Command::Drain => {
                info!("An admin stops the service");
                self.orders.push_back(Output::Stop);
                Ok(Reply::Done(
                    "No new calls are taken from now on.".to_owned(),
                ))
            }
            Command::Guests if is_first => {
                let label = "Everybody may call me, also guests without an account";
                ask(Field::yes_or_no(
                    "open",
                    label,
                    self.access.has_opened(asker),
                ))
            }
            Command::Guests => match request.field("open") {
                Some("1" | "true") => self.open(asker),
                Some("0" | "false") => Ok(self.close(asker)),
                _ => Err(bad_payload("the field open is yes or no")),
            },
        }
    }

    fn open(&mut self, person: &BareJid) -> Result<Reply, StanzaError> {
        if self.access.open(person.clone()) {
            let person = person.clone();
            self.keep(Change::Keep(Record::Opened { person }));
        } else if !self.access.has_opened(person) {
            return Err(StanzaError::new(ErrorKind::Wait, "resource-constraint").because("opened"));
        }
        Ok(Reply::Done("Everybody may call you now.".to_owned()))
    }

    fn close(&mut self, person: &BareJid) -> Reply {
        if self.access.close(person) {
            self.keep(Change::Forget(Key::Opened(person.clone())));
        }
        Reply::Done("Others may call you as the rules of this server say.".to_owned())
    }

    /// Admins may do everything, and every person something for herself; guests nothing.
    fn may_command(&self, asker: &BareJid, command: Command) -> bool {
        if command.is_for_admins() {
            return self.config.access.admins.contains(asker);
        }
        asker.node().is_some()
            && !self.access.is_guest(asker)
            && self.config.grants_credentials(asker.domain().as_str())
    }

    /// XEP-0050 §2.1 and §2.2: which commands there are, and that a node is one. None where the
    /// question is about something else.
    pub(super) fn about_commands(
        &self,
        inbound: &Inbound<'_>,
        query: Element<'_>,
    ) -> Option<Answer> {
        let asker = inbound.from.to_bare();
        let node = query.attr("node")?;
        if query.ns() == disco::NS_ITEMS {
            let allowed = |command: &Command| self.may_command(&asker, *command);
            return (node == admin::NS).then(|| {
                Answer::With(result_with(inbound, &|writer| {
                    writer.open("query", disco::NS_ITEMS).attr("node", node);
                    for command in Command::ALL.into_iter().filter(allowed) {
                        writer.open("item", disco::NS_ITEMS).attr("jid", inbound.to);
                        writer.attr("node", command.node());
                        writer.attr("name", command.name()).close();
                    }
                    writer.close();
                }))
            });
        }
        let command = Command::of_node(node)?;
        Some(if self.may_command(&asker, command) {
            Answer::With(result_with(inbound, &|writer| {
                writer.open("query", disco::NS_INFO).attr("node", node);
                writer.open("identity", disco::NS_INFO);
                writer
                    .attr("category", "automation")
                    .attr("type", "command-node");
                writer.attr("name", command.name()).close();
                for feature in [admin::NS, "jabber:x:data"] {
                    writer.open("feature", disco::NS_INFO).attr("var", feature);
                    writer.close();
                }
                writer.close();
            }))
        } else {
            Answer::Error(StanzaError::new(ErrorKind::Cancel, "item-not-found"))
        })
    }

    fn list_calls(&self, now: Instant) -> Table {
        let all = self.calls.list(now);
        let row = |call: &crate::call::Summary| {
            vec![
                call.number.to_string(),
                call.caller.to_string(),
                call.callee.to_string(),
                call.media.to_string(),
                call.state.to_owned(),
                call.age.as_secs().to_string(),
            ]
        };
        Table {
            columns: vec![
                ("call", "Number"),
                ("caller", "Caller"),
                ("callee", "Callee"),
                ("media", "Media"),
                ("state", "State"),
                ("seconds", "Seconds since it began"),
            ],
            rows: all.iter().take(MAX_ROWS).map(row).collect(),
            note: cut(all.len()),
        }
    }

    fn list_devices(&self, person: Option<&BareJid>) -> Table {
        let registry = &self.clients.registry;
        let people = registry
            .people()
            .filter(|known| person.is_none_or(|one| one == *known));
        let mut rows = Vec::new();
        let mut all = 0;
        for person in people {
            let reach = registry.reach(person);
            all += reach.web.len() + reach.clients.len();
            if rows.len() >= MAX_ROWS {
                continue;
            }
            let in_call = |jid: &FullJid| {
                let state = if self.calls.is_device(jid) {
                    "in a call"
                } else {
                    ""
                };
                state.to_owned()
            };
            for (jid, device) in &reach.web {
                let kind = if device.carry {
                    "web, carries its calls"
                } else {
                    "web"
                };
                let media = device.media.to_string();
                rows.push(vec![jid.to_string(), kind.to_owned(), media, in_call(jid)]);
            }
            for (jid, client) in &reach.clients {
                let (media, name) = self.clients.describe(jid, client);
                rows.push(vec![jid.to_string(), name, media.to_string(), in_call(jid)]);
            }
        }
        rows.truncate(MAX_ROWS);
        Table {
            columns: vec![
                ("device", "Device"),
                ("kind", "Kind"),
                ("media", "Media"),
                ("state", "State"),
            ],
            rows,
            note: cut(all),
        }
    }
}

fn bad_payload(text: &str) -> StanzaError {
    StanzaError::bad_request(text).with_application("bad-payload", admin::NS)
}

fn cut(all: usize) -> Option<String> {
    (all > MAX_ROWS).then(|| format!("{MAX_ROWS} of {all} are shown."))
}

/// Rows of one list.
const MAX_ROWS: usize = 500;

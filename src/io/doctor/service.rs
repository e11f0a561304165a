//! The service as people see it: discovery, what its server lets it do, and the ICE servers.

use jid::BareJid;

use super::client::{Client, Refusal};
use super::finding::{CAMPANA, COMMAND, EJABBERD, PROSODY};
use super::process::Privileges;
use super::stun::Server;
use super::{Config, Fault, Finding, Report, Step};
use crate::credentials::extdisco;
use crate::disco::NS_INFO;
use crate::web;
use crate::xml::Document;

/// Tells whether the service answers, and what it may do for the people of the server.
pub(super) async fn examine(
    client: &mut Client,
    config: &Config,
    privileges: Option<&Privileges>,
    report: &mut Report<impl FnMut(&Finding)>,
) -> bool {
    let there = is_there(client, &config.service).await;
    let answers = report.note(Step::Service, there).is_some();
    let server = Home::of(client, config).await;
    examine_privileges(config, &server, privileges, report);
    examine_delegation(client, config, &server, report).await;
    answers
}

async fn is_there(client: &mut Client, service: &BareJid) -> Result<((), String), Fault> {
    let info = client
        .ask("get", service.as_str(), |writer| {
            writer.leaf("query", NS_INFO, "");
        })
        .await
        .map_err(|refusal| {
            Fault::new(format!("{service} does not answer: {refusal}"))
                .advise(
                    CAMPANA,
                    format!("component.jid = \"{service}\" and component.secret; is it running?"),
                )
                .advise(
                    EJABBERD,
                    format!("listen: ejabberd_service: hosts: \"{service}\": password"),
                )
                .advise(
                    PROSODY,
                    format!("Component \"{service}\" with component_secret"),
                )
        })?;
    let query = info.root().child("query", NS_INFO);
    let is_ours = query.is_some_and(|query| {
        let mut features = query.children();
        features.any(|feature| feature.attr("var") == Some(web::NS))
    });
    if is_ours {
        Ok(((), format!("{service} answers")))
    } else {
        Err(
            Fault::new(format!("{service} is something else than Campana")).advise(
                COMMAND,
                "--service JID: Campana's domain, component.jid of campana.toml",
            ),
        )
    }
}

/// The person's own server.
struct Home {
    software: Option<String>,
}

impl Home {
    /// XEP-0092.
    async fn of(client: &mut Client, config: &Config) -> Self {
        let version = client
            .ask("get", config.user.domain().as_str(), |writer| {
                writer.leaf("query", NS_VERSION, "");
            })
            .await;
        let name = |version: Document| {
            let query = version.root().child("query", NS_VERSION)?;
            Some(query.child("name", NS_VERSION)?.text().into_owned())
        };
        Self {
            software: version.ok().and_then(name),
        }
    }

    /// Openfire has neither XEP-0355 nor XEP-0356, so that nobody can turn them on.
    fn grants_nothing(&self) -> bool {
        self.software.as_deref() == Some("Openfire")
    }
}

fn examine_privileges(
    config: &Config,
    server: &Home,
    privileges: Option<&Privileges>,
    report: &mut Report<impl FnMut(&Finding)>,
) {
    let (domain, service) = (config.user.domain().as_str(), &config.service);
    let Some(privileges) = privileges else {
        return report.not_tested(
            Step::Privileges,
            "only an attached process on this machine knows",
        );
    };
    let has = |domains: &[String]| domains.iter().any(|granted| granted == domain);
    if has(&privileges.rosters) {
        let blocks = if has(&privileges.blocklists) {
            "rosters and block lists"
        } else {
            "rosters"
        };
        return report.holds(Step::Privileges, format!("{domain} lets it read {blocks}"));
    }
    if server.grants_nothing() {
        return report.not_tested(Step::Privileges, "Openfire has no XEP-0356");
    }
    let fault = Fault::new(format!(
        "not granted: {domain} does not let {service} read rosters, so contacts are not known"
    ))
    .advise(
        EJABBERD,
        "modules: mod_privilege: roster: both: call_component, with the acl and access_rules of \
         ejabberd-config/ejabberd.yml",
    )
    .advise(
        PROSODY,
        format!(
            "modules_enabled \"privilege\", here and under Component \"{service}\"; \
             privileged_entities = {{ [\"{service}\"] = {{ roster = \"both\" }} }}"
        ),
    );
    report.fails(Step::Privileges, fault);
}

/// Clients that know nothing of the service ask their server for ICE servers.
async fn examine_delegation(
    client: &mut Client,
    config: &Config,
    server: &Home,
    report: &mut Report<impl FnMut(&Finding)>,
) {
    let domain = config.user.domain().as_str();
    let why = match ask_for_servers(client, domain).await {
        Ok(servers) if !servers.is_empty() => {
            let seen = format!("{domain} itself names {} ICE servers", servers.len());
            return report.holds(Step::Delegation, seen);
        }
        Ok(_) => "none".to_owned(),
        Err(refusal) => refusal.to_string(),
    };
    if server.grants_nothing() {
        return report.not_tested(Step::Delegation, "Openfire has no XEP-0355");
    }
    let fault = Fault::new(format!(
        "not granted: {domain} itself names no ICE servers ({why}), so IM clients get no TURN"
    ))
    .advise(
        EJABBERD,
        "modules: mod_delegation: namespaces: \"urn:xmpp:extdisco:2\": access: call_component",
    )
    .advise(
        PROSODY,
        format!(
            "modules_enabled \"delegation\", and under VirtualHost \"{domain}\": delegations = {{ \
             [\"urn:xmpp:extdisco:2\"] = {{ jid = \"{}\" }} }}",
            config.service
        ),
    );
    report.fails(Step::Delegation, fault);
}

/// The servers that the service hands out.
pub(super) async fn ice_servers(
    client: &mut Client,
    service: &BareJid,
) -> Result<(Vec<Server>, String), Fault> {
    let servers = ask_for_servers(client, service.as_str())
        .await
        .map_err(|refusal| {
            Fault::new(format!("{service} hands out no ICE servers: {refusal}")).advise(
                CAMPANA,
                "turn.credential_domains: add the domain of these people, if it is not the parent \
                 of component.jid",
            )
        })?;
    if !servers.iter().any(Server::is_turn) {
        return Err(Fault::new("no TURN server").advise(
            CAMPANA,
            "[turn]: listen, relay_address and realm; or [[ice]]: url and secret of another server",
        ));
    }
    let names: Vec<_> = servers.iter().map(ToString::to_string).collect();
    let seen = names.join(", ");
    Ok((servers, seen))
}

/// XEP-0215 §3.1.
async fn ask_for_servers(client: &mut Client, whom: &str) -> Result<Vec<Server>, Refusal> {
    let answer = client
        .ask("get", whom, |writer| {
            writer.leaf("services", extdisco::NS, "");
        })
        .await?;
    let services = answer.root().child("services", extdisco::NS);
    Ok(services
        .into_iter()
        .flat_map(|services| services.children())
        .filter_map(Server::read)
        .take(MAX_SERVERS)
        .collect())
}

/// XEP-0092 §2.
const NS_VERSION: &str = "jabber:iq:version";
/// Servers that are tried.
const MAX_SERVERS: usize = 16;

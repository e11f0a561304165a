use std::collections::BTreeSet;

use super::*;
use crate::telemetry::LogFormat;

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, Error> {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(Path::new("campana.toml"), text, environment)
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    match parse(text, environment) {
        Err(Error::Problems(problems)) => problems.iter().map(Problem::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_at_all_is_the_default() {
    assert_eq!(parse("", &[]).unwrap(), Config::default());
}

#[test]
fn the_example_states_every_default() {
    let example = include_str!("../../campana.example.toml");
    assert_eq!(parse(example, &[]).unwrap(), Config::default());
}

/// The example with its commented keys in force.
fn uncommented() -> String {
    include_str!("../../campana.example.toml")
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || "[\"".contains(c)) => {
                key
            }
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn the_example_is_right_with_its_commented_keys_too() {
    let config = parse(&uncommented(), &[]).unwrap();
    // Where a commented key has a default, it is that.
    let run::Component { link, gateway } = config.run.component.unwrap();
    let defaults = link::Config::default();
    assert_eq!((link.server, link.tls), (defaults.server, defaults.tls));
    let defaults = gateway::Config::new(BareJid::new("call.example.org").unwrap());
    assert_eq!(gateway.ice.len(), 1);
    let ice = gateway.ice.clone();
    let mut access = defaults.access.clone();
    access.domains = gateway.access.domains.clone();
    assert_eq!(access.domains.len(), 1);
    assert_eq!(
        gateway,
        gateway::Config {
            ice,
            access,
            // Since http.admin_token is set.
            journal: true,
            ..defaults
        }
    );
    let read = config.run.turn.unwrap();
    let defaults = turn::Config {
        relay_address: read.relay_address.clone(),
        relay_bind: read.relay_bind.clone(),
        secret: read.secret.clone(),
        previous_secret: read.previous_secret.clone(),
        certificate: read.certificate.clone(),
        key: read.key.clone(),
        tls_name: read.tls_name.clone(),
        ..turn::Config::default()
    };
    assert_eq!(read, defaults);
}

#[test]
fn the_example_mentions_every_key() {
    let table: Table = toml::from_str(&uncommented()).unwrap();
    let mut mentioned = BTreeSet::new();
    for (name, value) in &table {
        let section = match value {
            toml::Value::Table(section) => Some(section),
            toml::Value::Array(sections) => sections.first().and_then(toml::Value::as_table),
            _ => None,
        };
        match section {
            None => {
                mentioned.insert(name.clone());
            }
            Some(section) => {
                mentioned.extend(section.keys().map(|key| format!("{name}.{key}")));
            }
        }
    }
    let mut source = Source::new(table, []);
    Config::read(&mut source);
    let missing: Vec<_> = source
        .known()
        .filter(|key| !mentioned.contains(*key))
        .collect();
    assert!(
        missing.is_empty(),
        "campana.example.toml says nothing of {missing:?}"
    );
}

#[test]
fn unknown_keys_name_the_nearest_and_all_are_told() {
    let told = problems(
        "state_dirr = '/x'\n[component]\njid = 'c.example.org'\nsecert = 'x'\ndrain_timeout = 5\n\
         [htpp]\nlisten = '127.0.0.1:1'\n[log]\nlisten = 'x'\n",
        &[],
    );
    let all = told.join("\n");
    for line in [
        "state_dirr: no such key; the nearest is state_dir",
        "component.secert: no such key; the nearest is component.secret",
        "component.secret: is missing",
        "component.drain_timeout: no such key here; drain_timeout belongs at the top",
        "htpp: no such key; the nearest is [http]",
        "log.listen: no such key here; did you mean http.listen, in [http]?",
    ] {
        assert!(all.contains(line), "{line:?} in\n{all}");
    }
    assert_eq!(told.len(), 6, "{all}");
}

#[test]
fn wrong_values_say_what_they_should_be_and_all_are_told() {
    let told = problems(
        "drain_timeout = 'soon'\n[component]\njid = 'a@b'\nserver = 5347\ntls = 'yes'\nsecret = 5\n\
         [log]\nformat = 'xml'\n[http]\nlisten = '8080'\n[limits]\nxml_depth = -1\n",
        &[],
    );
    let all = told.join("\n");
    for line in [
        "drain_timeout: should be a whole number, 0 or more, not string \"soon\"",
        "component.jid: \"a@b\" is not a domain",
        "component.server: should be a text in quotes, not integer 5347",
        "component.tls: should be true or false, not string \"yes\"",
        "component.secret: should be a text in quotes",
        "log.format: should be \"text\" or \"json\", not \"xml\"",
        "http.listen: \"8080\" is not an address and port",
        "limits.xml_depth: should be a whole number, 0 or more",
    ] {
        assert!(all.contains(line), "{line:?} in\n{all}");
    }
}

#[test]
fn a_section_that_is_none_is_told() {
    let told = problems("log = 'debug'\nice = 3\n", &[]).join("\n");
    assert!(
        told.contains("log: should be a section, written [log]"),
        "{told}"
    );
    assert!(told.contains("ice: should be written [[ice]]"), "{told}");
}

#[test]
fn what_concerns_several_keys_is_told_by_its_key() {
    let told = problems("[turn]\nlisten = ['udp:0.0.0.0:3478']\nrealm = ''\n", &[]).join("\n");
    assert!(told.contains("turn.relay_address: is missing"), "{told}");
    assert!(told.contains("turn.realm: must have"), "{told}");
}

#[test]
fn lists_and_single_values_come_from_the_environment_as_their_key_needs_them() {
    let config = parse(
        "",
        &[
            ("CAMPANA_TURN__LISTEN", "udp:127.0.0.1:3478, udp:[::1]:3478"),
            ("CAMPANA_TURN__RELAY_ADDRESS", "127.0.0.1"),
            ("CAMPANA_TURN__ALLOW_PEERS", "127.0.0.0/8"),
            ("CAMPANA_TURN__CREDENTIAL_DOMAINS", ""),
            ("CAMPANA_TURN__REALM", "12"),
        ],
    )
    .unwrap();
    let turn = config.run.turn.unwrap();
    assert_eq!(turn.listen.len(), 2);
    assert_eq!(turn.relay_address.len(), 1);
    assert_eq!(turn.allow_peers.len(), 1);
    assert_eq!(turn.credential_domains, [""; 0]);
    assert_eq!(turn.realm, "12");
}

#[test]
fn other_servers_are_checked_one_by_one() {
    let component = "[component]\njid = 'call.example.org'\nsecret = 'x'\n";
    let text = format!(
        "{component}[[ice]]\nurl = 'stun:stun.example.org'\n\
         [[ice]]\nurl = 'turns:turn.example.org'\nsecret = 'n'\n"
    );
    let gateway = |config: Config| config.run.component.unwrap().gateway;
    assert_eq!(gateway(parse(&text, &[]).unwrap()).ice.len(), 2);
    let environment = [
        ("CAMPANA_ICE__0__URL", "turn:a.example.org:3478"),
        ("CAMPANA_ICE__0__SECRET", "n"),
        ("CAMPANA_ACCESS__DOMAINS__EXAMPLE.NET", "anyone"),
    ];
    let text = format!("{component}[access.domains]\n'example.org' = 'domain'\n");
    let told = gateway(parse(&text, &environment).unwrap());
    assert_eq!((told.ice.len(), told.access.domains.len()), (1, 2));

    let told = problems(
        "[[ice]]\nurl = 'turn.example.org'\n[[ice]]\nurl = 'turn:turn.example.org'\n\
         [[ice]]\nulr = 'stun:x'\n",
        &[],
    );
    let all = told.join("\n");
    for line in [
        "ice.url: \"turn.example.org\" is not a STUN or TURN server",
        "ice.secret: is missing: the TURN REST secret of turn:turn.example.org",
        "ice.ulr: no such key; the nearest is ice.url",
    ] {
        assert!(all.contains(line), "{line:?} in\n{all}");
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let config = parse(
        "drain_timeout = 5\n[component]\njid = 'call.example.org'\nsecret = 'old'\n",
        &[
            ("CAMPANA_COMPONENT__SECRET", "12345"),
            ("CAMPANA_COMPONENT__TLS", "true"),
            ("CAMPANA_DRAIN_TIMEOUT", "7"),
            ("CAMPANA_LOG__FORMAT", "json"),
            ("CAMPANA_LIMITS__XML_DEPTH", "40"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    let component = config.run.component.unwrap();
    assert_eq!(component.gateway.limits.xml_depth, 40);
    let component = component.link;
    assert_eq!(component.secret, "12345".into());
    assert!(component.tls);
    assert_eq!(config.run.drain_timeout, Duration::from_secs(7));
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn the_environment_alone_is_enough() {
    let config = parse(
        "",
        &[
            ("CAMPANA_COMPONENT__JID", "call.example.org"),
            ("CAMPANA_COMPONENT__SECRET", "x"),
        ],
    );
    assert_eq!(
        config.unwrap().run.component.unwrap().link.jid,
        "call.example.org"
    );
}

#[test]
fn wrong_variables_are_told_but_those_of_others_are_left_alone() {
    let told = problems(
        "",
        &[
            ("CAMPANA_LOG__LEVLE", "debug"),
            ("CAMPANA_LIMITS__XML_DEPTH", "deep"),
            ("CAMPANA_DRAIN_TIMEOUTS", "1"),
            ("CAMPANA_PORT", "tcp://10.0.0.1:80"),
            ("CAMPANA_SERVICE_HOST", "10.0.0.1"),
        ],
    );
    let all = told.join("\n");
    for line in [
        "CAMPANA_LOG__LEVLE: no such key; the nearest is log.level",
        "CAMPANA_LIMITS__XML_DEPTH: should be a whole number, 0 or more, not string \"deep\"",
        "CAMPANA_DRAIN_TIMEOUTS: no such key; the nearest is drain_timeout",
    ] {
        assert!(all.contains(line), "{line:?} in\n{all}");
    }
    assert_eq!(told.len(), 3, "{all}");
}

#[test]
fn secrets_may_stand_in_files_and_are_never_told() {
    let file = std::env::temp_dir().join(format!("campana-secret-{}", std::process::id()));
    fs::write(&file, "from the file\n").unwrap();
    let name = file.to_str().unwrap();
    let text = format!("[component]\njid = 'c.example.org'\nsecret_file = {name:?}\n");
    let secret = |config: Config| config.run.component.unwrap().link.secret;
    assert_eq!(secret(parse(&text, &[]).unwrap()), "from the file".into());
    let over = [("CAMPANA_COMPONENT__SECRET", "from the environment")];
    assert_eq!(
        secret(parse(&text, &over).unwrap()),
        "from the environment".into()
    );
    let plain = "[component]\njid = 'c.example.org'\nsecret = 'plain'\n";
    let over = [("CAMPANA_COMPONENT__SECRET_FILE", name)];
    assert_eq!(secret(parse(plain, &over).unwrap()), "from the file".into());

    let both = format!("{text}secret = 'geheim'\n");
    let told = problems(&both, &[]).join("\n");
    assert!(
        told.contains("component.secret_file: give either this or component.secret"),
        "{told}"
    );
    fs::write(&file, " \n").unwrap();
    assert!(problems(&text, &[]).join("\n").contains("is empty"));
    fs::remove_file(&file).unwrap();
    assert!(problems(&text, &[]).join("\n").contains(name));

    // A line that is no TOML may hold a secret.
    let error = parse("[component]\nsecret = geheim\n", &[])
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("campana.toml: line 2: "), "{error}");
    assert!(!error.contains("geheim"), "{error}");
    let told = problems(
        "[component]\njid = 'c.example.org'\nsecret = ['geheim']\n",
        &[],
    );
    assert!(!told.join("\n").contains("geheim"), "{told:?}");
}

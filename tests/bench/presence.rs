//! What presence costs: `cargo bench --bench presence`.
//!
//! Many devices come, change and leave, from the bytes of their presence to what is sent for it. Time is
//! that of the processor, so that a busy machine matters less; memory is what stays allocated.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "bench"
)]

mod meter;

use std::sync::Arc;
use std::time::{Duration, Instant};

use campana::disco::{Abilities, Caps, Scheme};
use campana::gateway::{Config, Gateway, Output, Record};
use campana::web::Media;
use campana::xml::{Document, Limits, NS_COMPONENT};
use meter::{held, processor_time};

struct World {
    gateway: Gateway,
    now: Instant,
    limits: Limits,
}

impl World {
    /// A gateway that knows what stands behind the caps of all who will come.
    fn new() -> Self {
        let now = Instant::now();
        let config = Config::new(SERVICE.parse().unwrap());
        let mut gateway = Gateway::new(config, now, 1_700_000_000, [7; 32]);
        let abilities = Abilities {
            media: Media::BOTH,
            message_initiation: true,
            name: "Conversations".to_owned(),
        };
        let caps = Arc::new(Caps::new(Scheme::V1, NODE, "sha-1", HASH));
        gateway.restore([Record::Caps { caps, abilities }]);
        gateway.handle_link_up(now);
        let mut world = Self {
            gateway,
            now,
            limits: Limits::default(),
        };
        world.drain();
        world
    }

    /// How many stanzas are sent for this one.
    fn hear(&mut self, stanza: &str) -> usize {
        let stanza = Document::parse(stanza.as_bytes(), NS_COMPONENT, &self.limits).unwrap();
        self.gateway.handle_stanza(self.now, stanza);
        self.drain()
    }

    fn drain(&mut self) -> usize {
        let mut sent = 0;
        loop {
            match self.gateway.poll_output() {
                Output::Timeout(_) => return sent,
                Output::Stanza(_) => sent += 1,
                _ => {}
            }
        }
    }

    /// What each of these costs on average, and how many stanzas are sent for all.
    fn hear_all(&mut self, stanzas: impl Iterator<Item = String>) -> (Duration, usize) {
        let (mut count, mut sent, mut spent) = (0, 0, Duration::ZERO);
        let stanzas: Vec<String> = stanzas.collect();
        let begun = processor_time();
        for stanza in &stanzas {
            sent += self.hear(stanza);
            count += 1;
        }
        spent += processor_time() - begun;
        (spent / count, sent)
    }
}

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let devices = if is_bench { 100_000 } else { 1_000 };
    burst(devices, false);
    burst(devices, true);
    watched(if is_bench { 200 } else { 2 }, 1_000);
}

/// So many people come with one device each, change and leave; each is seen by nobody or by one.
fn burst(devices: u32, seen: bool) {
    let mut world = World::new();
    let to = |n: u32| {
        if seen {
            format!("friend{n}\\40example.net@{SERVICE}")
        } else {
            SERVICE.to_owned()
        }
    };
    let before = held();
    let (coming, told) = world.hear_all((0..devices).map(|n| available(n, &to(n), "")));
    let bytes = (held() - before) / devices as usize;
    let away = "<show>away</show>";
    let (changing, told_again) = world.hear_all((0..devices).map(|n| available(n, &to(n), away)));
    let leave = |n: u32| {
        format!(
            "<presence type='unavailable' from='{}' to='{}'/>",
            device(n),
            to(n)
        )
    };
    let (leaving, told_at_last) = world.hear_all((0..devices).map(leave));
    assert!(!seen || [told, told_again, told_at_last] == [devices as usize; 3]);
    let whom = if seen { "one" } else { "nobody" };
    println!("{devices} people with one device each, seen by {whom}");
    println!("  comes:   {coming:?} each");
    println!("  changes: {changing:?} each");
    println!("  leaves:  {leaving:?} each");
    println!("  held:    {bytes} bytes each");
}

/// One person is seen by many, and changes.
fn watched(changes: u32, watchers: u32) {
    let mut world = World::new();
    for n in 0..watchers {
        world.hear(&available(
            0,
            &format!("friend{n}\\40example.net@{SERVICE}"),
            "",
        ));
    }
    let each = (0..changes).map(|n| {
        let show = if n % 2 == 0 { "<show>away</show>" } else { "" };
        available(0, SERVICE, show)
    });
    let (changing, sent) = world.hear_all(each);
    // All that is to be sent is there at once: the link writes it in one go.
    assert_eq!(sent, (changes * watchers) as usize);
    println!("one person who is seen by {watchers}");
    println!(
        "  changes: {changing:?}, {:?} for each who is told",
        changing / watchers
    );
}

fn device(n: u32) -> String {
    format!("person{n}@example.org/Conversations.{n:04x}")
}

fn available(n: u32, to: &str, show: &str) -> String {
    format!(
        "<presence from='{}' to='{to}'>{show}<priority>0</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='{NODE}' ver='{HASH}'/></presence>",
        device(n)
    )
}

const SERVICE: &str = "call.example.org";
const NODE: &str = "http://conversations.im";
const HASH: &str = "QgayPKawpkPSDYmwT/WM94uAlu0=";

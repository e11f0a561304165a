//! The pages: HTML and SVG without scripts, from texts that peers have made.

use std::fmt::Write;
use std::sync::LazyLock;

use data_encoding::BASE64;

use crate::credentials::extdisco;
use crate::ladder::{Candidates, Ladder, Line, Step, What, visible};
use crate::xml::escape_attribute;

/// The policy of these pages: one style, no script, nothing from anywhere.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self'",
        BASE64.encode(digest.as_ref())
    )
});

/// The last calls; `of_person` if only those of somebody.
pub(super) fn list(lines: &[Line], of_person: bool) -> String {
    let mut out = head("Calls");
    out.push_str(
        "<h1>Calls</h1>\n<form action='calls' method='get' role='search'><label>Calls of \
         <input type='search' name='person' placeholder='juliet@example.org' autocomplete='off'>\
         </label> <button>Find</button></form>\n",
    );
    if of_person {
        out.push_str("<p>Those of one person. <a href='calls'>All calls</a></p>\n");
    }
    if lines.is_empty() {
        out.push_str("<p>There are none, or they are no longer kept.</p>\n</main></body></html>\n");
        return out;
    }
    out.push_str(
        "<p><a href='calls.json'>As JSON</a></p>\n<div class='wide' role='region' tabindex='0' aria-label='Calls'><table><thead><tr>\
         <th scope='col'>Call</th><th scope='col'>Began</th><th scope='col'>Who</th>\
         <th scope='col'>Media</th><th scope='col'>Answered after</th>\
         <th scope='col'>Lasted</th><th scope='col'>End</th>\
         <th scope='col'>Left out by the mapping</th></tr></thead><tbody>\n",
    );
    for line in lines {
        let who = match (&line.caller, &line.callee) {
            (Some(caller), Some(callee)) => format!("{caller} → {callee}"),
            _ => line.dialects.join(" → "),
        };
        let lasted = match (line.answered, line.ended) {
            (Some(answered), Some(ended)) => seconds(ended.saturating_sub(answered)),
            (Some(_), None) => "going on".to_owned(),
            (None, None) => "ringing".to_owned(),
            (None, Some(_)) => "–".to_owned(),
        };
        let _ = writeln!(
            out,
            "<tr><th scope='row'><a href='calls/{call}'>{call}</a></th><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{lasted}</td><td>{}</td><td>{}</td></tr>",
            utc(line.began),
            escaped(&who),
            escaped(&line.media),
            line.answered.map_or_else(|| "–".to_owned(), seconds),
            escaped(line.reason.unwrap_or("–")),
            line.dropped,
            call = line.call,
        );
    }
    out.push_str("</tbody></table></div>\n</main></body></html>\n");
    out
}

/// One call.
pub(super) fn one(ladder: &Ladder) -> String {
    let line = ladder.line();
    let title = format!("Call {}", line.call);
    let mut out = head(&title);
    let _ = writeln!(
        out,
        "<nav><a href='../calls'>All calls</a> · <a href='{call}.json' download>As JSON</a></nav>\n\
         <h1>{title}</h1>\n<dl><dt>Began</dt><dd>{}</dd><dt>Media</dt><dd>{}</dd>\
         <dt>Session</dt><dd><code>{}</code></dd><dt>Answered</dt><dd>{}</dd>\
         <dt>Ended</dt><dd>{}</dd></dl>",
        utc(line.began),
        escaped(&line.media),
        escaped(ladder.sid()),
        line.answered
            .map_or_else(|| "not".to_owned(), |at| format!("after {}", seconds(at))),
        line.ended.map_or_else(
            || "not yet".to_owned(),
            |at| format!(
                "after {}: {}",
                seconds(at),
                escaped(line.reason.unwrap_or_default())
            )
        ),
        call = line.call,
    );
    parties(ladder, &mut out);
    let columns = Columns::of(ladder);
    out.push_str(
        "<h2>Ladder</h2>\n<div class='wide' role='region' tabindex='0' aria-label='Ladder'>\
         <div class='ladder'>\n",
    );
    columns.head(&mut out);
    for step in ladder.steps() {
        write_step(step, &columns, &mut out);
    }
    out.push_str("</div></div>\n");
    if ladder.left_out() > 0 {
        let _ = writeln!(
            out,
            "<p>{} more steps were not kept: <code>http.call_bytes</code> is the bound.</p>",
            ladder.left_out()
        );
    }
    out.push_str("</main></body></html>\n");
    out
}

fn parties(ladder: &Ladder, out: &mut String) {
    out.push_str(
        "<h2>Who took part</h2>\n<div class='wide' role='region' tabindex='0' aria-label='Who took part'>\
         <table><thead><tr><th scope='col'>Name</th>\
         <th scope='col'>Speaks</th><th scope='col'>Candidates sent</th>\
         <th scope='col'>Relayed by TURN</th></tr></thead><tbody>\n",
    );
    for party in ladder.parties() {
        let Candidates {
            host,
            srflx,
            prflx,
            relay,
        } = party.candidates;
        let counts = [
            ("host", host),
            ("srflx", srflx),
            ("prflx", prflx),
            ("relay", relay),
        ];
        let sent: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let sent = if sent.is_empty() {
            "none".to_owned()
        } else {
            sent.join(", ")
        };
        let _ = writeln!(
            out,
            "<tr><th scope='row'>{}</th><td>{}</td><td>{sent}</td><td>{}</td></tr>",
            escaped(&party.name),
            party.dialect.unwrap_or("–"),
            bytes(party.relayed_bytes),
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn write_step(step: &Step, columns: &Columns, out: &mut String) {
    let name = columns.name(step.party);
    let row = |row: Row| columns.row(row, step.party);
    let time = format!("<span class='time'>{}</span>", seconds(step.at));
    match &step.what {
        What::Received { title, stanza } => {
            let said = format!("{name} → Campana: {title}");
            fold(&time, &row(Row::In), &said, "in", stanza, out);
        }
        What::Sent { title, stanza } => {
            let said = format!("Campana → {name}: {title}");
            fold(&time, &row(Row::Out), &said, "out", stanza, out);
        }
        What::Dropped { facts } => {
            let said = format!("left out for {name}: {}", facts.len());
            fold(
                &time,
                &row(Row::Dot),
                &said,
                "dropped",
                &facts.join("\n"),
                out,
            );
        }
        What::Joined { dialect } => {
            let said = format!("{name} speaks {dialect}");
            plain(&time, &row(Row::Dot), &said, "note", out);
        }
        What::PickedUp => {
            let said = format!("{name} picked up");
            plain(&time, &row(Row::Dot), &said, "note", out);
        }
        What::Answered => plain(
            &time,
            &row(Row::Line),
            "the caller has the answer",
            "good",
            out,
        ),
        What::Relayed {
            up_bytes,
            down_bytes,
            seconds,
            transport,
        } => {
            let said = format!(
                "TURN relayed {} from and {} to {name} over {transport} in {seconds} s",
                bytes(*up_bytes),
                bytes(*down_bytes)
            );
            plain(&time, &row(Row::Dot), &said, "note", out);
        }
        What::Ended { reason, text } => {
            let text = text
                .as_ref()
                .map_or_else(String::new, |text| format!(": {text}"));
            let said = format!("ended, {reason}{text}");
            let class = if *reason == "success" { "good" } else { "end" };
            plain(&time, &row(Row::Line), &said, class, out);
        }
    }
}

fn fold(time: &str, row: &str, said: &str, class: &str, inside: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<details class='{class}'><summary>{time}{row}<bdi>{}</bdi></summary><pre dir='ltr'>{}</pre></details>",
        escaped(said),
        escaped(inside),
    );
}

fn plain(time: &str, row: &str, said: &str, class: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<div class='step {class}'>{time}{row}<bdi>{}</bdi></div>",
        escaped(said),
    );
}

/// Where everybody stands: the caller, Campana, and the others.
struct Columns {
    names: Vec<String>,
}

/// What is drawn in a row.
#[derive(Clone, Copy)]
enum Row {
    /// To Campana.
    In,
    /// From Campana.
    Out,
    /// At the party.
    Dot,
    /// Across all.
    Line,
}

impl Columns {
    fn of(ladder: &Ladder) -> Self {
        let mut names: Vec<String> = ladder.parties().iter().map(|it| it.name.clone()).collect();
        names.insert(names.len().min(1), "Campana".to_owned());
        Self { names }
    }

    fn name(&self, party: Option<usize>) -> &str {
        let name = party.and_then(|party| self.names.get(column(party)));
        name.map_or("others", String::as_str)
    }

    fn width(&self) -> usize {
        self.names.len() * STRIDE
    }

    fn head(&self, out: &mut String) {
        let _ = write!(
            out,
            "<div class='step names' aria-hidden='true'><span class='time'></span>\
             <svg width='{width}' height='20' viewBox='0 0 {width} 20'>",
            width = self.width()
        );
        for (at, name) in self.names.iter().enumerate() {
            let _ = write!(
                out,
                "<text x='{}' y='14' text-anchor='middle'>{}</text>",
                middle(at),
                escaped(&name.chars().take(24).collect::<String>())
            );
        }
        out.push_str("</svg></div>\n");
    }

    /// The picture of a step; its words stand beside it.
    fn row(&self, row: Row, party: Option<usize>) -> String {
        let mut out = format!(
            "<svg aria-hidden='true' width='{width}' height='{HEIGHT}' viewBox='0 0 {width} {HEIGHT}'>",
            width = self.width()
        );
        for at in 0..self.names.len() {
            let _ = write!(
                out,
                "<path class='life' d='M{x} 0V{HEIGHT}'/>",
                x = middle(at)
            );
        }
        let ours = middle(self.names.len().saturating_sub(1).min(1));
        // Those who have no column are beyond the last one.
        let theirs = party.map_or_else(|| self.width(), |party| middle(column(party)));
        let y = HEIGHT / 2;
        let arrow = |from: usize, to: usize, out: &mut String| {
            let back = if from < to {
                to.saturating_sub(9)
            } else {
                to + 9
            };
            let _ = write!(
                out,
                "<path d='M{from} {y}H{to}'/><path class='tip' d='M{to} {y}L{back} {}V{}Z'/>",
                y - 5,
                y + 5
            );
        };
        match row {
            Row::In => arrow(theirs, ours, &mut out),
            Row::Out => arrow(ours, theirs, &mut out),
            Row::Dot => {
                let _ = write!(out, "<circle class='tip' cx='{theirs}' cy='{y}' r='4'/>");
            }
            Row::Line => {
                let _ = write!(out, "<path d='M0 {y}H{}'/>", self.width());
            }
        }
        out.push_str("</svg>");
        out
    }
}

fn column(party: usize) -> usize {
    if party == 0 { 0 } else { party + 1 }
}

fn middle(column: usize) -> usize {
    column * STRIDE + STRIDE / 2
}

fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>\
         <meta name='viewport' content='width=device-width, initial-scale=1'>\
         <meta name='robots' content='noindex'><title>{title} – Campana</title>\
         <style>{STYLE}</style></head><body><main>\n"
    )
}

/// As text or as an attribute's value of HTML, which knows the same references as XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_attribute(&mut out, &visible(text));
    out
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

/// Milliseconds since 1970 as a date and time of day.
fn utc(millis: u64) -> String {
    let stamp = extdisco::date_time(millis / 1000);
    stamp.replace('T', " ").replace('Z', " UTC")
}

/// Pixels from column to column.
const STRIDE: usize = 150;
const HEIGHT: usize = 26;

const STYLE: &str = "\
:root{color-scheme:light dark;font:15px/1.45 system-ui,sans-serif}\
body{margin:0;color:light-dark(#222,#eee);background:light-dark(#fff,#181818)}main{padding:1rem;max-width:90rem;margin:auto}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:1.5rem}\
.wide{overflow-x:auto}table{border-collapse:collapse;white-space:nowrap}\
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #8886;vertical-align:top}\
tbody th{font-weight:600}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}\
dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}\
.ladder{min-width:max-content;border-top:1px solid #8886}\
summary,.step{display:flex;align-items:center;gap:.8rem;min-height:26px;white-space:nowrap}\
summary{cursor:pointer}summary:hover{background:#8882}\
summary:focus-visible,.wide:focus-visible{outline:2px solid Highlight;outline-offset:-2px}\
.time{width:6.5em;text-align:right;font-variant-numeric:tabular-nums;flex:none}\
summary::before{content:'+';width:1em;text-align:center;flex:none}\
details[open]>summary::before{content:'−'}.step::before{content:'';width:1em;flex:none}\
svg{flex:none;font:600 12px system-ui,sans-serif;fill:currentColor}\
path{stroke:currentColor;stroke-width:1.5;fill:none}\
.life{stroke:#888a;stroke-width:1}.tip{fill:currentColor}\
.in svg{color:light-dark(#05c,#8bf)}.out svg{color:light-dark(#076,#6dc)}\
.dropped,.end{color:light-dark(#a20,#f97)}.good{color:light-dark(#060,#8d8)}\
pre{margin:.2rem 0 .8rem 8.5em;padding:.6rem;background:#8882;overflow-x:auto;white-space:pre-wrap;\
overflow-wrap:anywhere;max-width:70rem;font-size:13px}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_210_096, "2024-02-29 12:34:56 UTC"),
            (4_102_444_800, "2100-01-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(seconds * 1000), date);
        }
    }

    #[test]
    fn nothing_that_a_peer_wrote_becomes_markup() {
        assert_eq!(
            escaped("<script>'\"&\u{202e}\u{0}\u{200b}"),
            "&lt;script&gt;&apos;&quot;&amp;\\u{202e}\\u{0}\\u{200b}"
        );
    }

    #[test]
    fn the_style_has_no_quote_that_ends_it() {
        assert!(!STYLE.contains('<') && POLICY.contains("style-src 'sha256-"));
    }
}

//! The file and the environment as one tree of values, taken apart section by section.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::fields::fields_of;
use super::problem::{Problem, in_words, nearest};

/// Values by key, and everything found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Source {
    table: Table,
    /// Environment variables below [`PREFIX`]: path in lower case, and value.
    environment: BTreeMap<Vec<String>, String>,
    /// All keys that exist, as `section.key`, filled as sections are read.
    known: BTreeSet<String>,
    /// Unknown keys, judged once all that exist are known.
    unknown: Vec<(Option<&'static str>, String, String)>,
    problems: Vec<Problem>,
}

/// What a section is read into.
pub(super) trait Keys: DeserializeOwned {}

impl<T: DeserializeOwned> Keys for T {}

impl Source {
    pub(super) fn new(
        table: Table,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let environment = environment
            .into_iter()
            .filter_map(|(name, value)| {
                let path = name.strip_prefix(PREFIX)?;
                let path: Vec<_> = path.split("__").map(str::to_lowercase).collect();
                Some((path, value))
            })
            .collect();
        Self {
            table,
            environment,
            ..Self::default()
        }
    }

    /// Reads the keys at the top of the file into `T`.
    pub(super) fn top<T: Keys + Default>(&mut self, sections: &[&'static str]) -> T {
        let mut values = Table::new();
        for key in self.table.keys().cloned().collect::<Vec<_>>() {
            if !sections.contains(&key.as_str())
                && let Some(value) = self.table.remove(&key)
            {
                values.insert(key, value);
            }
        }
        self.known
            .extend(sections.iter().map(|section| format!("[{section}]")));
        self.read(None, values, &[])
    }

    /// Whether the file or the environment says anything in `section`.
    pub(super) fn has(&self, section: &str) -> bool {
        self.table.contains_key(section)
            || self
                .environment
                .keys()
                .any(|path| path.len() > 1 && path.first().is_some_and(|first| first == section))
    }

    /// Reads `[section]` into `T`. `secrets` are its keys that may stand in a file of their own.
    pub(super) fn section<T: Keys + Default>(
        &mut self,
        section: &'static str,
        secrets: &[&str],
    ) -> T {
        let values = self.take(section);
        self.read(Some(section), values, secrets)
    }

    /// Reads every `[[section]]` into a `T`.
    pub(super) fn list<T: Keys + Default>(
        &mut self,
        section: &'static str,
        secrets: &[&str],
    ) -> Vec<T> {
        self.known.extend(
            fields_of::<T>()
                .iter()
                .map(|key| format!("{section}.{key}")),
        );
        let mut tables = match self.table.remove(section) {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(_) => {
                self.problem(section, format!("should be written [[{section}]]"));
                return Vec::new();
            }
        };
        let indices: BTreeSet<usize> = self
            .environment
            .keys()
            .filter_map(|path| match path.as_slice() {
                [head, index, _, ..] if head == section => index.parse().ok(),
                _ => None,
            })
            .collect();
        for index in indices {
            if index == tables.len() {
                tables.push(Value::Table(Table::new()));
            }
        }
        tables
            .into_iter()
            .enumerate()
            .filter_map(|(index, value)| {
                let Value::Table(values) = value else {
                    self.problem(section, format!("should be written [[{section}]]"));
                    return None;
                };
                Some(self.read_at(Some(section), Some(index), values, secrets))
            })
            .collect()
    }

    /// All keys of the sections read so far.
    #[cfg(test)]
    pub(super) fn known(&self) -> impl Iterator<Item = &String> {
        self.known.iter().filter(|key| !key.starts_with('['))
    }

    /// Whether a problem with `key` is noted already.
    pub(super) fn complained_of(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Notes a problem.
    pub(super) fn problem(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.problems.push(Problem::new(key, what));
    }

    /// All problems, those of unread keys and variables included.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        for (section, path, key) in std::mem::take(&mut self.unknown) {
            let what = self.unknown_key(section, &key);
            self.problems.push(Problem::new(path, what));
        }
        for path in std::mem::take(&mut self.environment).into_keys() {
            let name = variable(&path);
            let key = path.join(".");
            let what = self.unknown_key(None, &key);
            // Without a section it may be somebody else's: container platforms set variables
            // named after a service, such as CAMPANA_PORT.
            let close = nearest(&key, self.known.iter().map(String::as_str))
                .is_some_and(|(_, likeness)| likeness > 0.9);
            if path.len() > 1 || close {
                self.problems.push(Problem::new(name, what));
            }
        }
        self.problems
    }

    fn take(&mut self, section: &'static str) -> Table {
        match self.table.remove(section) {
            None => Table::new(),
            Some(Value::Table(values)) => values,
            Some(_) => {
                self.problem(section, format!("should be a section, written [{section}]"));
                Table::new()
            }
        }
    }

    fn read<T: Keys + Default>(
        &mut self,
        section: Option<&'static str>,
        values: Table,
        secrets: &[&str],
    ) -> T {
        self.read_at(section, None, values, secrets)
    }

    fn read_at<T: Keys + Default>(
        &mut self,
        section: Option<&'static str>,
        index: Option<usize>,
        mut values: Table,
        secrets: &[&str],
    ) -> T {
        let fields = fields_of::<T>();
        let prefix = section
            .map(|section| format!("{section}."))
            .unwrap_or_default();
        self.known
            .extend(fields.iter().map(|key| format!("{prefix}{key}")));
        let before = self.problems.len() + self.unknown.len();

        let given = self.given::<T>(section, index, fields, secrets);
        for (key, value) in given {
            // The environment wins over the file, in either form of a secret.
            if let Some(secret) = secrets
                .iter()
                .find(|s| key == **s || key == format!("{s}_file"))
            {
                values.remove(*secret);
                values.remove(&format!("{secret}_file"));
            }
            match (values.get_mut(&key), value) {
                (Some(Value::Table(known)), Value::Table(more)) => known.extend(more),
                (_, value) => {
                    values.insert(key, value);
                }
            }
        }
        for secret in secrets {
            self.secret_file(&prefix, secret, &mut values);
        }
        let mut whole = Table::new();
        for (key, value) in values {
            if !fields.contains(&key.as_str()) {
                self.unknown.push((section, format!("{prefix}{key}"), key));
                continue;
            }
            match parse::<T>([(key.clone(), value.clone())]) {
                Ok(_) => {
                    whole.insert(key, value);
                }
                Err(_) if secrets.contains(&key.as_str()) => {
                    self.problem(format!("{prefix}{key}"), "should be a text in quotes");
                }
                Err(message) => self.problem(format!("{prefix}{key}"), message),
            }
        }
        match parse::<T>(whole) {
            Ok(section) => section,
            Err(message) => {
                // Each key is right by itself: what is left concerns several.
                if before == self.problems.len() + self.unknown.len() {
                    let place = section.unwrap_or("the file");
                    self.problem(place, message);
                }
                T::default()
            }
        }
    }

    /// What the environment says for the section, each value in the first shape that fits its key.
    fn given<T: Keys>(
        &mut self,
        section: Option<&str>,
        index: Option<usize>,
        fields: &[&str],
        secrets: &[&str],
    ) -> Vec<(String, Value)> {
        let mut head: Vec<String> = Vec::new();
        head.extend(section.map(str::to_owned));
        head.extend(index.map(|index| index.to_string()));
        let mine: Vec<Vec<String>> = self
            .environment
            .keys()
            .filter(|path| path.len() > head.len() && path.starts_with(&head))
            .cloned()
            .collect();
        let mut given = Vec::new();
        for path in mine {
            let rest = path.get(head.len()..).unwrap_or_default();
            let Some((key, deeper)) = rest.split_first() else {
                continue;
            };
            let key = key.clone();
            let deeper = deeper.to_vec();
            let is_file = secrets.iter().any(|secret| key == format!("{secret}_file"));
            if !fields.contains(&key.as_str()) && !is_file {
                continue;
            }
            let Some(text) = self.environment.remove(&path) else {
                continue;
            };
            if is_file {
                given.push((key, Value::String(text)));
                continue;
            }
            let fits = shapes(&text)
                .into_iter()
                .map(|value| nest(&deeper, value))
                .find(|value| parse::<T>([(key.clone(), value.clone())]).is_ok());
            match fits {
                Some(value) => given.push((key, value)),
                None => {
                    let what = if secrets.contains(&key.as_str()) {
                        "should be a text".to_owned()
                    } else {
                        let likely = shapes(&text).into_iter().rev().find(|v| !v.is_array());
                        let value = nest(&deeper, likely.unwrap_or(Value::String(text)));
                        parse::<T>([(key, value)]).err().unwrap_or_default()
                    };
                    self.problem(variable(&path), what);
                }
            }
        }
        given
    }

    /// Replaces `secret_file` by the secret it holds.
    fn secret_file(&mut self, prefix: &str, secret: &str, values: &mut Table) {
        let file_key = format!("{secret}_file");
        let Some(file) = values.remove(&file_key) else {
            return;
        };
        let path = format!("{prefix}{file_key}");
        let Some(file) = file.as_str() else {
            self.problem(path, "should be the name of a file, in quotes");
            return;
        };
        if values.contains_key(secret) {
            self.problem(
                path,
                format!("give either this or {prefix}{secret}, not both"),
            );
            return;
        }
        match fs::read_to_string(file) {
            Ok(text) if text.trim().is_empty() => self.problem(path, format!("{file} is empty")),
            Ok(text) => {
                values.insert(secret.to_owned(), Value::String(text.trim().to_owned()));
            }
            Err(error) => self.problem(path, format!("{file}: {error}")),
        }
    }

    fn unknown_key(&self, section: Option<&str>, key: &str) -> String {
        // The right name in the wrong place, as when a top key stands below a section.
        let elsewhere = self
            .known
            .iter()
            .find(|known| known.rsplit('.').next() == Some(key) && !known.starts_with('['));
        if let Some(known) = elsewhere {
            return match known.split_once('.') {
                None => format!("no such key here; {known} belongs at the top, above all sections"),
                Some((section, _)) => {
                    format!("no such key here; did you mean {known}, in [{section}]?")
                }
            };
        }
        let prefix = section
            .map(|section| format!("{section}."))
            .unwrap_or_default();
        let whole = format!("{prefix}{key}");
        let here = self
            .known
            .iter()
            .map(String::as_str)
            .filter(|known| section.is_none() || known.starts_with(&prefix));
        match nearest(&whole, here) {
            Some((near, _)) => format!("no such key; the nearest is {near}"),
            None => "no such key".to_owned(),
        }
    }
}

/// What a variable's text may mean, the plainest first.
fn shapes(text: &str) -> Vec<Value> {
    let mut shapes = vec![Value::String(text.to_owned())];
    shapes.extend(text.parse().ok().map(Value::Integer));
    shapes.extend(text.parse().ok().map(Value::Boolean));
    let words = text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    shapes.push(
        words
            .map(|word| Value::String(word.to_owned()))
            .collect::<Vec<_>>()
            .into(),
    );
    shapes
}

/// `value` below the keys `path`.
fn nest(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, key| {
        Value::Table(Table::from_iter([(key.clone(), value)]))
    })
}

fn variable(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("__").to_uppercase())
}

fn parse<T: DeserializeOwned>(
    values: impl IntoIterator<Item = (String, Value)>,
) -> Result<T, String> {
    T::deserialize(Value::Table(values.into_iter().collect()))
        .map_err(|error: toml::de::Error| in_words(error.message()))
}

/// How the names of our variables begin.
pub(super) const PREFIX: &str = "CAMPANA_";

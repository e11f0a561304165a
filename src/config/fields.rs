//! The keys of a section, asked of the type that reads it.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// The names that the derived `Deserialize` of the struct `T` knows.
///
/// It is offered nothing to read; what it asks for first is its list of fields.
pub(super) fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The error only says that there was nothing to read.
    T::deserialize(Probe(&mut fields)).err();
    fields
}

struct Probe<'a>(&'a mut &'static [&'static str]);

#[derive(Debug)]
struct Nothing;

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Nothing;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Nothing> {
        *self.0 = fields;
        Err(Nothing)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Nothing> {
        Err(Nothing)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl de::Error for Nothing {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing to read")
    }
}

impl std::error::Error for Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_names_its_fields_as_they_stand_in_the_file() {
        assert_eq!(
            fields_of::<crate::call::Config>(),
            [
                "ring_timeout",
                "offline_grace",
                "link_grace",
                "ping_interval",
                "iq_timeout"
            ]
        );
        assert_eq!(fields_of::<String>(), [""; 0]);
    }
}

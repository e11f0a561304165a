/// How much is remembered of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// People of whom something is known.
    pub people: usize,
    /// People who may see one person through the gateway.
    pub watchers_per_person: usize,
    /// Devices of one person.
    pub devices_per_person: usize,
    /// Rosters held at once.
    pub rosters: usize,
    /// Block lists held at once.
    pub blocklists: usize,
    /// People who have opened themselves to everybody.
    pub opened: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            people: 500_000,
            watchers_per_person: 5_000,
            devices_per_person: 16,
            rosters: 2_000,
            blocklists: 10_000,
            opened: 100_000,
        }
    }
}

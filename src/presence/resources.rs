/// What is known of each of a person's resources, in their order.
///
/// There are few, most often one, and many people: one allocation without slack beats a tree.
#[derive(Debug)]
pub(super) struct Resources<T>(Vec<(Box<str>, T)>);

impl<T> Default for Resources<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Resources<T> {
    pub(super) fn get(&self, resource: &str) -> Option<&T> {
        let at = self.find(resource).ok()?;
        self.0.get(at).map(|(_, known)| known)
    }

    pub(super) fn get_mut(&mut self, resource: &str) -> Option<&mut T> {
        let at = self.find(resource).ok()?;
        self.0.get_mut(at).map(|(_, known)| known)
    }

    /// Puts `known` at this resource, unless there are `most` others. Says whether the resource is
    /// a new one.
    pub(super) fn insert(&mut self, resource: &str, known: T, most: usize) -> Option<bool> {
        match self.find(resource) {
            Ok(at) => {
                *self.0.get_mut(at).map(|(_, known)| known)? = known;
                Some(false)
            }
            Err(at) => (self.0.len() < most).then(|| {
                self.0.reserve_exact(1);
                self.0.insert(at, (resource.into(), known));
                true
            }),
        }
    }

    /// Whether there was something.
    pub(super) fn remove(&mut self, resource: &str) -> bool {
        let found = self.find(resource);
        if let Ok(at) = found {
            self.0.remove(at);
            self.0.shrink_to_fit();
        }
        found.is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(resource, known)| (&**resource, known))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, known)| known)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, resource: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(known, _)| (**known).cmp(resource))
    }
}

use std::fmt;

/// The kinds of media of a call or a device: the list in `media='audio video'`, and the
/// `<description media=''/>` elements of XEP-0353.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Media {
    /// Sound.
    pub audio: bool,
    /// Pictures.
    pub video: bool,
}

impl Media {
    /// Sound only.
    pub const AUDIO: Self = Self {
        audio: true,
        video: false,
    };
    /// Pictures only.
    pub const VIDEO: Self = Self {
        audio: false,
        video: true,
    };
    /// Sound and pictures.
    pub const BOTH: Self = Self {
        audio: true,
        video: true,
    };

    /// Reads a list of words; unknown ones are ignored.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let mut media = Self::default();
        for word in list.split_ascii_whitespace() {
            media.add(word);
        }
        media
    }

    /// Adds the kind with this name; an unknown one changes nothing.
    pub fn add(&mut self, name: &str) {
        match name {
            "audio" => self.audio = true,
            "video" => self.video = true,
            _ => {}
        }
    }

    /// No kind at all.
    #[must_use]
    pub fn is_empty(self) -> bool {
        !self.audio && !self.video
    }

    /// The names, audio first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [self.audio.then_some("audio"), self.video.then_some("video")]
            .into_iter()
            .flatten()
    }

    /// What either has.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            audio: self.audio || other.audio,
            video: self.video || other.video,
        }
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

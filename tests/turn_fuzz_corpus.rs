//! What the fuzz targets do, done to their corpora and to a little chance.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "integration test"
)]

#[path = "fuzz/exercise/codec.rs"]
mod codec;
#[path = "fuzz/exercise/engine.rs"]
mod engine;
#[path = "fuzz/exercise/framing.rs"]
mod framing;
mod turn_harness;

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*};

#[test]
fn the_corpora_are_survived() {
    for (target, exercise) in [
        ("codec", codec::exercise as fn(&[u8])),
        ("engine", engine::exercise),
        ("framing", framing::exercise),
    ] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        let files = fs::read_dir(directory.join(target)).unwrap();
        let paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        assert!(!paths.is_empty(), "{target} has no corpus");
        for path in paths {
            exercise(&fs::read(path).unwrap());
        }
    }
}

proptest! {
    #[test]
    fn scripts_made_by_chance_are_survived(script in vec(any::<u8>(), 0..120)) {
        engine::exercise(&script);
    }

    #[test]
    fn damaged_messages_are_survived(
        file in 0_usize..64,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/codec");
        let mut paths: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|it| it.unwrap().path())
            .collect();
        paths.sort();
        let mut bytes = fs::read(&paths[file % paths.len()]).unwrap();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        codec::exercise(&bytes);
        framing::exercise(&bytes);
    }
}

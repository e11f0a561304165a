//! Secrets that are made at first start and kept in `state_dir`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

/// The TURN REST secret of this installation, made if there is none.
///
/// It is text, so that it can be given to coturn or eturnal as it is.
///
/// # Errors
/// The directory or the file cannot be made or read.
pub(super) fn turn_secret(state_dir: &Path) -> io::Result<String> {
    let file = state_dir.join(TURN_SECRET);
    match read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)?;
    // Written aside and linked into place: whoever comes second takes the first one's secret, and
    // nobody ever reads half of one.
    let aside = state_dir.join(format!("{TURN_SECRET}.{}", std::process::id()));
    let made = write(&aside, &random()?).and_then(|()| match fs::hard_link(&aside, &file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    let removed = fs::remove_file(&aside);
    made.and(removed)?;
    read(&file)
}

fn read(file: &Path) -> io::Result<String> {
    let secret = fs::read_to_string(file)?.trim().to_owned();
    if secret.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is empty",
        ));
    }
    Ok(secret)
}

fn write(file: &Path, secret: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

fn random() -> io::Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(HEXLOWER.encode(&bytes))
}

const TURN_SECRET: &str = "turn-secret";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_only_its_owner_may_read_it() {
        let dir = std::env::temp_dir().join(format!("campana-state-{}", std::process::id()));
        let first = turn_secret(&dir.join("deep/er")).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(turn_secret(&dir.join("deep/er")).unwrap(), first);
        let file = dir.join("deep/er").join(TURN_SECRET);
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(dir.join("deep/er")).unwrap().count(), 1);

        fs::write(&file, "\n").unwrap();
        assert_eq!(
            turn_secret(&dir.join("deep/er")).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}

//! Reads a record. Readers take no lock: a rename makes every file whole.

use std::{fs::File, io::Read};

use bytes::Bytes;
use cloakroom_store::{Key, Record};

use crate::{
    error::Failure,
    folder::Folder,
    format::{self, Corruption, SUMMARY_END},
};

/// The record of a key; `None` when there is none.
pub(crate) fn record(
    folder: &Folder,
    key: &Key,
    max_data_size: usize,
) -> Result<Option<Record>, Failure> {
    let name = key.id.to_string();
    let Some((file, length)) = folder.open_file(&name)? else {
        return Ok(None);
    };
    let limit = format::max_file_length(max_data_size);
    let length = usize::try_from(length).map_err(|_| Corruption::TooLong)?;
    if length > limit {
        return Err(Corruption::TooLong.into());
    }
    let content = read(&name, &file, length)?;
    Ok(Some(format::decode(Bytes::from(content), key)?))
}

/// The record of a key without its data; `None` when there is none.
pub(crate) fn summary(folder: &Folder, key: &Key) -> Result<Option<Record>, Failure> {
    let name = key.id.to_string();
    let Some((file, length)) = folder.open_file(&name)? else {
        return Ok(None);
    };
    let beginning = read(&name, &file, SUMMARY_END)?;
    Ok(Some(format::decode_summary(&beginning, length, key)?))
}

fn read(name: &str, file: &File, at_most: usize) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::with_capacity(at_most);
    file.take(u64::try_from(at_most).unwrap_or(u64::MAX))
        .read_to_end(&mut content)
        .map_err(|error| Failure::io(name, error))?;
    Ok(content)
}

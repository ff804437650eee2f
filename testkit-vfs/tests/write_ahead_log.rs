//! A database with a write-ahead log lives on files of ours, shared by several connections.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use martlet_testkit_vfs::{DatabaseFile, DatabaseFiles, register};
use rusqlite::{Connection, OpenFlags};

#[derive(Debug, Default)]
struct InMemory {
    files: Mutex<HashMap<String, Arc<Content>>>,
    /// Directories synced on behalf of a path.
    names_synced: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
struct Content(Mutex<Vec<u8>>);

impl DatabaseFiles for InMemory {
    fn exists(&self, path: &str) -> io::Result<bool> {
        Ok(self.files.lock().expect("nobody panics").contains_key(path))
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DatabaseFile>> {
        let content = Arc::new(Content::default());
        self.files.lock().expect("nobody panics").insert(path.to_owned(), content.clone());
        Ok(content)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DatabaseFile>> {
        let content = self.files.lock().expect("nobody panics").get(path).cloned();
        Ok(content.ok_or(io::ErrorKind::NotFound)?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.files
            .lock()
            .expect("nobody panics")
            .remove(path)
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory_of(&self, path: &str) -> io::Result<()> {
        self.names_synced.lock().expect("nobody panics").push(path.to_owned());
        Ok(())
    }
}

impl DatabaseFile for Content {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.lock().expect("nobody panics").len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.0.lock().expect("nobody panics");
        let rest = content.get(position(offset)..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut content = self.0.lock().expect("nobody panics");
        let offset = position(offset);
        let end = content.len().max(offset + bytes.len());
        content.resize(end, 0);
        content[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.0.lock().expect("nobody panics").resize(position(bytes), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).expect("files are small")
}

fn open(vfs: &str) -> Connection {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs("/db", flags, vfs).expect("the database works");
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).expect("the database works");
    assert_eq!(mode, "wal");
    connection.pragma_update(None, "synchronous", "FULL").expect("the database works");
    connection
}

fn sum(connection: &Connection) -> i64 {
    connection
        .query_row("SELECT coalesce(sum(n), 0) FROM t", [], |row| row.get(0))
        .expect("the database works")
}

#[test]
fn readers_see_what_the_writer_commits_and_a_snapshot_stands_still() {
    let files = Arc::new(InMemory::default());
    register("several", files.clone()).unwrap();
    let writer = open("several");
    writer.execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (1)").unwrap();
    let reader = open("several");
    assert_eq!(sum(&reader), 1);

    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(sum(&reader), 1);
    writer.execute_batch("INSERT INTO t VALUES (2)").unwrap();
    let backlog: (i64, i64) =
        writer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?))).unwrap();
    assert!(backlog.1 < backlog.0, "the reader's snapshot holds the checkpoint back");
    assert_eq!(sum(&reader), 1);
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(sum(&reader), 3);
    assert!(files.names_synced.lock().unwrap().contains(&"/db-wal".to_owned()), "the log's name is durable");
}

#[test]
fn a_log_that_was_left_behind_is_replayed() {
    let files = Arc::new(InMemory::default());
    register("left", files.clone()).unwrap();
    let lost = open("left");
    lost.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    lost.execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (7)").unwrap();

    let copy = Arc::new(InMemory::default());
    for (path, content) in &*files.files.lock().unwrap() {
        let content = Content(Mutex::new(content.0.lock().unwrap().clone()));
        copy.files.lock().unwrap().insert(path.clone(), Arc::new(content));
    }
    assert!(copy.exists("/db-wal").unwrap());
    register("copy", copy).unwrap();
    assert_eq!(sum(&open("copy")), 7);
}

#[test]
fn threads_write_and_read_at_once() {
    register("threads", Arc::new(InMemory::default())).unwrap();
    let writer = open("threads");
    writer.execute_batch("CREATE TABLE t (n)").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let reader = open("threads");
                let mut last = 0;
                while last < 100 {
                    let now = sum(&reader);
                    assert!(now >= last, "{now} after {last}");
                    last = now;
                }
            });
        }
        for at in 0..100 {
            writer.execute("INSERT INTO t VALUES (1)", []).unwrap();
            if at % 10 == 0 {
                writer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
            }
        }
    });
}

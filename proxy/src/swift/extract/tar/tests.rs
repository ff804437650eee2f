//! Archives as several writers make them, and broken ones.

use proptest::prelude::*;

use super::*;

/// A header as POSIX describes it.
fn header(name: &[u8], bytes: usize, kind: u8) -> [u8; BLOCK_BYTES] {
    let mut block = [0; BLOCK_BYTES];
    block[..name.len()].copy_from_slice(name);
    block[124..135].copy_from_slice(format!("{bytes:011o}").as_bytes());
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

fn seal(block: &mut [u8; BLOCK_BYTES]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    bytes.resize(content.len().next_multiple_of(BLOCK_BYTES), 0);
    bytes
}

fn member(name: &[u8], kind: u8, content: &[u8]) -> Vec<u8> {
    [&header(name, content.len(), kind)[..], &padded(content)].concat()
}

fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (keyword, value) in records {
        let body = [b" ", keyword.as_bytes(), b"=", value, b"\n"].concat();
        let mut length = body.len() + 1;
        while length != body.len() + length.to_string().len() {
            length += 1;
        }
        text.extend_from_slice(length.to_string().as_bytes());
        text.extend_from_slice(&body);
    }
    text
}

const END: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

type Read = (String, Kind, Vec<u8>, Vec<String>);

async fn read(archive: &[u8]) -> Result<Vec<Read>, TarError> {
    let mut reader = TarReader::new(archive);
    let mut members = Vec::new();
    while let Some(member) = reader.next().await? {
        let mut content = Vec::new();
        while let Some(bytes) = reader.content().await? {
            content.extend_from_slice(&bytes);
        }
        let name = String::from_utf8_lossy(&member.name).into_owned();
        let attributes = member
            .attributes
            .iter()
            .map(|(keyword, value)| format!("{keyword}={}", String::from_utf8_lossy(value)));
        members.push((name, member.kind, content, attributes.collect()));
    }
    Ok(members)
}

fn file(name: &str, content: &[u8]) -> Read {
    (name.to_owned(), Kind::File, content.to_vec(), Vec::new())
}

#[tokio::test]
async fn members_come_one_by_one() {
    let archive =
        [member(b"a", b'0', b"one"), member(b"dir/", b'5', b""), member(b"dir/b", b'\0', b""), END.to_vec()];
    let found = read(&archive.concat()).await.unwrap();
    let directory = ("dir/".to_owned(), Kind::Other, Vec::new(), Vec::new());
    assert_eq!(found, [file("a", b"one"), directory, file("dir/b", b"")]);
    // Some writers leave the end out.
    assert_eq!(read(&member(b"a", b'0', b"one")).await.unwrap(), [file("a", b"one")]);
}

#[tokio::test]
async fn what_is_not_read_of_a_member_is_passed_over() {
    let large = vec![7; 200_000];
    let archive = [member(b"large", b'0', &large), member(b"small", b'0', b"x"), END.to_vec()].concat();
    let mut reader = TarReader::new(&archive[..]);
    let first = reader.next().await.unwrap().unwrap();
    assert_eq!((first.name, first.bytes), (b"large".to_vec(), 200_000));
    assert!(reader.content().await.unwrap().unwrap().len() as u64 <= CHUNK_BYTES_MAX);
    assert_eq!(reader.next().await.unwrap().unwrap().name, b"small");
}

#[tokio::test]
async fn long_names_are_told_in_three_ways() {
    let long = "d/".repeat(200);
    let mut split = header(b"name", 1, b'0');
    split[345..350].copy_from_slice(b"first");
    seal(&mut split);
    let archive = [
        &member(b"././@LongLink", b'L', format!("{long}gnu\0").as_bytes())[..],
        &member(b"d/d/", b'0', b"1"),
        &member(b"PaxHeaders/x", b'x', &pax(&[("path", format!("{long}pax").as_bytes())])),
        &member(b"short", b'0', b"2"),
        &split,
        &padded(b"3"),
        &END,
    ];
    let found = read(&archive.concat()).await.unwrap();
    let expected =
        [file(&format!("{long}gnu"), b"1"), file(&format!("{long}pax"), b"2"), file("first/name", b"3")];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn attributes_are_of_the_next_member_or_of_all() {
    let own = pax(&[("SCHILY.xattr.user.meta.a", b"own"), ("mtime", b"1.5"), ("comment", b"x")]);
    let all = pax(&[("LIBARCHIVE.xattr.user.mime_type", b"dGV4dA")]);
    let archive = [
        member(b"g", b'g', &all),
        member(b"x", b'x', &own),
        member(b"a", b'0', b""),
        member(b"b", b'0', b""),
        END.to_vec(),
    ];
    let found = read(&archive.concat()).await.unwrap();
    let shared = "LIBARCHIVE.xattr.user.mime_type=dGV4dA".to_owned();
    assert_eq!(found[0].3, [shared.clone(), "SCHILY.xattr.user.meta.a=own".to_owned()]);
    assert_eq!(found[1].3, [shared]);
}

#[tokio::test]
async fn lengths_may_be_larger_than_digits_hold() {
    let mut large = header(b"large", 0, b'0');
    large[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    seal(&mut large);
    let found = TarReader::new(&large[..]).next().await.unwrap().unwrap();
    assert_eq!(found.bytes, 2 << 32);
    let size = [member(b"x", b'x', &pax(&[("size", b"3")])), header(b"a", 0, b'0').to_vec(), padded(b"abc")];
    assert_eq!(read(&size.concat()).await.unwrap(), [file("a", b"abc")]);
}

#[tokio::test]
async fn what_is_no_plain_file_is_told_apart() {
    let sparse = pax(&[("GNU.sparse.major", b"1")]);
    let archive = [
        member(b"old", b'S', b"x"),
        member(b"x", b'x', &sparse),
        member(b"new", b'0', b"x"),
        header(b"link", 100, b'1').to_vec(),
        member(b"odd/", b'0', b""),
        member(b"last", b'7', b"x"),
    ];
    let kinds: Vec<_> =
        read(&archive.concat()).await.unwrap().into_iter().map(|member| (member.0, member.1)).collect();
    let expected = [
        ("old", Kind::Sparse),
        ("new", Kind::Sparse),
        ("link", Kind::Other),
        ("odd/", Kind::Other),
        ("last", Kind::File),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
}

#[tokio::test]
async fn what_is_broken_is_refused() {
    let whole = [member(b"a", b'0', b"one"), END.to_vec()].concat();
    assert!(matches!(read(b"").await, Err(TarError::Empty)));
    for end in [1, 511, 513, 1023] {
        assert!(matches!(read(&whole[..end]).await, Err(TarError::Truncated)), "{end}");
    }
    assert!(matches!(read(&[b'x'; 600]).await, Err(TarError::Checksum)));
    let mut flipped = whole.clone();
    flipped[3] ^= 1;
    assert!(matches!(read(&flipped).await, Err(TarError::Checksum)));
    let mut negative = header(b"a", 0, b'0');
    negative[124..136].fill(0xff);
    seal(&mut negative);
    assert!(matches!(read(&negative).await, Err(TarError::BadNumber)));
    for records in [&b"x"[..], b"5 a=b", b"99 a=b\n", b"6 a b\n\n", b"0 =\n", b"2 \n"] {
        let archive = member(b"x", b'x', records);
        assert!(matches!(read(&archive).await, Err(TarError::BadExtension)), "{records:?}");
    }
    let size = member(b"x", b'x', &pax(&[("size", b"many")]));
    assert!(matches!(read(&size).await, Err(TarError::BadNumber)));
    let long = header(b"x", 1 << 20, b'x');
    assert!(matches!(read(&long).await, Err(TarError::ExtensionTooLong)));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange_to_be_refused(flips in prop::collection::vec((0..3072usize, any::<u8>()), 0..8)) {
        let records = pax(&[("path", b"long"), ("SCHILY.xattr.user.meta.a", b"1")]);
        let archive = [member(b"x", b'x', &records), member(b"a", b'0', b"one"), END.to_vec()];
        let mut archive = archive.concat();
        for (place, byte) in flips {
            let length = archive.len();
            archive[place % length] = byte;
        }
        // Checksums would hide everything behind them.
        for start in [0, 1024] {
            let block: &mut [u8; BLOCK_BYTES] = (&mut archive[start..start + BLOCK_BYTES]).try_into().unwrap();
            seal(block);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _refused_or_not = runtime.block_on(read(&archive));
    }
}

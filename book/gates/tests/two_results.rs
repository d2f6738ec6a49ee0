//! What readers copy keeps both errors if two steps fail.

use std::path::Path;
use std::{env, fs};

use asyncdrop_book_gates::two_results::lost_errors;
use asyncdrop_book_gates::{files, program, root};

/// Where at most one of the results can be an error: only the last owner of a value gets the error of its cleanup.
const AT_MOST_ONE: &[(&str, &str)] = &[
    ("docs_shared_60", "four owners of one connection"),
    (
        "exercise_count_hits_in_two_places",
        "two owners of one counter",
    ),
    (
        "opened_once",
        "an owner of the database and one of what opens it",
    ),
];

/// All programs that readers copy as the build script wrote them down, the real programs, and the library.
fn sources() -> Vec<(String, String)> {
    let mistakes = program::mistakes();
    let folder = Path::new(env!("OUT_DIR")).join("programs");
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).expect("the build script wrote it") {
        let path = entry.expect("it can be read").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.expect("plain file names").to_owned();
        if !mistakes.contains(&name) {
            sources.push((name, fs::read_to_string(path).expect("it can be read")));
        }
    }
    for file in [files("examples", "rs"), files("src", "rs")].concat() {
        let source = fs::read_to_string(root().join(&file)).expect("it can be read");
        sources.push((file, source));
    }
    sources.sort();
    sources
}

#[test]
fn no_program_drops_the_second_of_two_errors() {
    let sources = sources();
    assert!(sources.len() > 400, "{} were found", sources.len());
    let mut complaints = Vec::new();
    for (name, source) in &sources {
        let lost = lost_errors(source).unwrap_or_else(|error| panic!("{name}: {error}"));
        if AT_MOST_ONE.iter().any(|(known, _)| known == name) {
            assert!(
                !lost.is_empty(),
                "{name} drops nothing any more: take it out of the list"
            );
            continue;
        }
        for lost in lost {
            complaints.push(format!(
                "{name}:{}: {} drops the error in `{}`",
                lost.line, lost.by, lost.result
            ));
        }
    }
    assert!(complaints.is_empty(), "\n  {}\n", complaints.join("\n  "));
}

#[test]
fn an_error_is_lost_by_and_and_by_the_first_of_two_question_marks() {
    let by_and = "async fn end(mut log: Log) -> Result<(), Error> {
        let written = log.write().await;
        let closed = log.async_drop().await;
        written.and(closed)
    }";
    let by_try = "async fn end(mut log: Log) -> Result<(), Error> {
        let written = log.write().await;
        let closed = log.async_drop().await;
        written?;
        closed
    }";
    let after_join = "async fn end(mut a: Log, mut b: Log) -> Result<(), Error> {
        let (a, b) = tokio::join!(a.async_drop(), b.async_drop());
        a?;
        b
    }";
    let in_a_macro = "async fn end(mut log: Log) {
        tokio::select! {
            () = stop() => {
                let written = log.write().await;
                let closed = log.async_drop().await;
                written.and(closed).unwrap();
            }
        }
    }";
    for lossy in [by_and, by_try, after_join, in_a_macro] {
        assert_eq!(lost_errors(lossy).unwrap().len(), 1, "{lossy}");
    }
    let told = "async fn end(mut log: Log) -> Result<(), Error> {
        let written = log.write().await;
        let closed = log.async_drop().await;
        match (written, closed) {
            (Err(written), Err(closed)) => Err(Error::Both(written, closed)),
            (written, closed) => written.and(closed),
        }
    }";
    let printed = r#"async fn end(mut log: Log) -> Result<(), Error> {
        let written = log.write().await;
        println!("closed: {:?}", log.async_drop().await);
        written?;
        Ok(())
    }"#;
    let one_after_the_other = "async fn end(mut log: Log) -> Result<(), Error> {
        let closed = log.async_drop().await;
        closed?;
        let flushed = disk().flush().await;
        flushed?;
        Ok(())
    }";
    for kept in [told, printed, one_after_the_other] {
        assert_eq!(lost_errors(kept).unwrap(), [], "{kept}");
    }
}

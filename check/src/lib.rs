//! The parts of `cargo asyncdrop`, apart from its command line, so that they can be tested.
//!
//! It is no library for others: what is public here may change with every version.

pub mod analysis;
pub mod compile;
pub mod mir;
pub mod options;
pub mod types;

use std::process::ExitCode;

pub fn check(options: &options::Options) -> ExitCode {
    let built = match compile::build(options) {
        Ok(b) => b,
        Err(e) => { eprintln!("error: {e}"); return ExitCode::from(2); }
    };
    let mut time = std::time::Duration::ZERO;
    for target in &built.targets {
        let start = std::time::Instant::now();
        let (text, _sources) = match compile::read_mir(&target.mir) { Ok(t) => t, Err(e) => { eprintln!("{}: {e}", target.mir.display()); return ExitCode::from(2) } };
        let bodies: Vec<_> = mir::functions(&text).into_iter().filter(|f| f.mentions("AsyncDropGuard")).map(|f| f.read()).collect();
        for b in &bodies { if !b.refused.is_empty() { eprintln!("refused {} {:?}", b.name, b.refused); } }
        let krate = analysis::Krate::new(types::Types::default(), bodies);
        for n in 0..krate.bodies.len() {
            let o = krate.look_at(n);
            if o.given_up { println!("{}: {}: GIVEN UP", target.name, krate.bodies[n].name); }
            for f in o.findings {
                if f.kind == analysis::Kind::Cancellation { continue }
                let name = |b: u32| match &krate.bodies[n].blocks[&b].terminator { mir::Terminator::Call { function, .. } => analysis::last_name(function), _ => String::new() };
                let w = match f.way { analysis::Way::QuestionMark(b) => format!("? {}", name(b)), analysis::Way::After(b) => format!("after {}", name(b)), analysis::Way::Call(b) => format!("call {}", name(b)), analysis::Way::Assigned(b) => format!("assigned {}", name(b)), analysis::Way::Await(b) => format!("await {}", name(b)) };
                println!("{}: {}: {} {} {} at bb{}", target.name, krate.bodies[n].name, f.kind.id(), f.key, w, f.at);
            }
        }
        time += start.elapsed();
    }
    eprintln!("{time:?}");
    ExitCode::SUCCESS
}

//! A module whose functions say when they are entered and left.
//!
//! The rule it keeps: what a function costs is what it costs in the module as it is. Every call goes through a wrapper, and the
//! instructions of wrappers are known one by one and taken off again.

use std::collections::HashMap;
use walrus::ir::{Call, RefFunc, VisitorMut, dfs_pre_order_mut};
use walrus::{
    ConstExpr, ElementItems, ExportItem, FunctionBuilder, FunctionId, FunctionKind, LocalId, Module, ValType,
};

/// The module of the imports.
pub(super) const IMPORTS: &str = "bench";
/// The import that a wrapper calls first, with the function's number.
pub(super) const ENTER: &str = "enter";
/// The import that it calls last.
pub(super) const LEAVE: &str = "leave";

/// A module in the making, and its functions by their numbers.
pub(super) struct WrappedModule {
    /// The module.
    pub(super) bytes: Vec<u8>,
    /// Its functions.
    pub(super) functions: Vec<WrappedFunction>,
    /// The number of the one that is exported as `filter`.
    pub(super) root: Option<usize>,
}

/// A function that has a wrapper.
pub(super) struct WrappedFunction {
    /// Its name, as far as the module has one.
    pub(super) name: String,
    /// Instructions of the wrapper between the two imports: the arguments, the call, and the number and call of the second.
    pub(super) inside: u64,
}

/// Instructions of a wrapper that its caller is charged with: entering it, and the number and call of the first import.
pub(super) const OUTSIDE: u64 = 3;

impl WrappedModule {
    /// Wraps the functions of a module.
    ///
    /// # Errors
    /// What walrus says of a module that it cannot read.
    pub(super) fn of(module: &[u8]) -> Result<WrappedModule, String> {
        let mut module = Module::from_buffer(module).map_err(|reason| format!("{reason:#}"))?;
        let kind = module.types.add(&[ValType::I32], &[]);
        let (enter, _) = module.add_import_func(IMPORTS, ENTER, kind);
        let (leave, _) = module.add_import_func(IMPORTS, LEAVE, kind);
        let own: Vec<FunctionId> = module.funcs.iter_local().map(|(id, _)| id).collect();
        let (mut wrappers, mut functions) = (Wrappers::default(), Vec::new());
        for (number, id) in own.iter().enumerate() {
            let function = module.funcs.get(*id);
            let name =
                function.name.as_deref().map(demangled).unwrap_or_else(|| format!("function {number}"));
            let (parameters, results) = module.types.params_results(function.ty());
            let (parameters, results) = (parameters.to_vec(), results.to_vec());
            let arguments: Vec<LocalId> = parameters.iter().map(|kind| module.locals.add(*kind)).collect();
            let mut builder = FunctionBuilder::new(&mut module.types, &parameters, &results);
            let mut body = builder.func_body();
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            body.i32_const(number).call(enter);
            for argument in &arguments {
                body.local_get(*argument);
            }
            body.call(*id).i32_const(number).call(leave);
            functions.push(WrappedFunction { name, inside: (arguments.len() as u64).saturating_add(3) });
            wrappers.0.insert(*id, builder.finish(arguments, &mut module.funcs));
        }
        let root = wrappers.put(&mut module, &own);
        Ok(WrappedModule { bytes: module.emit_wasm(), functions, root })
    }
}

/// The wrapper of each function.
#[derive(Default)]
struct Wrappers(HashMap<FunctionId, FunctionId>);

impl Wrappers {
    /// Puts wrappers where functions were: in calls, in tables, and in the export `filter`, whose number is returned.
    fn put(&mut self, module: &mut Module, own: &[FunctionId]) -> Option<usize> {
        for id in own {
            if let FunctionKind::Local(local) = &mut module.funcs.get_mut(*id).kind {
                let entry = local.entry_block();
                dfs_pre_order_mut(self, local, entry);
            }
        }
        for element in module.elements.iter_mut() {
            match &mut element.items {
                ElementItems::Functions(ids) => ids.iter_mut().for_each(|id| self.wrap(id)),
                ElementItems::Expressions(_, items) => {
                    for item in items {
                        if let ConstExpr::RefFunc(id) = item {
                            self.wrap(id);
                        }
                    }
                }
            }
        }
        let filter = module.exports.iter_mut().find(|export| export.name == "filter")?;
        let ExportItem::Function(id) = &mut filter.item else { return None };
        let number = own.iter().position(|other| other == id);
        self.wrap(id);
        number
    }

    fn wrap(&self, id: &mut FunctionId) {
        if let Some(wrapper) = self.0.get(id) {
            *id = *wrapper;
        }
    }
}

impl VisitorMut for Wrappers {
    fn visit_call_mut(&mut self, call: &mut Call) {
        self.wrap(&mut call.func);
    }

    fn visit_ref_func_mut(&mut self, reference: &mut RefFunc) {
        self.wrap(&mut reference.func);
    }
}

/// A name as it stands in the source, without its hash.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        assert_eq!(demangled("_ZN4text4line4Line4read17h0123456789abcdefE"), "text::line::Line::read");
        assert_eq!(demangled("malloc"), "malloc");
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(WrappedModule::of(b"\0asm").is_err());
    }
}

// Words of the run, lineage and knowledge views.
export default {};

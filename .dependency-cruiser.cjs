/**
 * Who may import whom, type imports included. The rules are those of docs/architecture.md;
 * test/dev/import-rules.test.ts proves of each one that it fires.
 *
 * Paths are those of the repository; npm packages are under node_modules/, Node's own modules are
 * bare names without `node:` and have the dependency type `core`.
 */
const planes = 'appliance|control-plane|steering|encoder';
const tests = '^test/';
const aCore = '^(common|appliance|control-plane|steering|encoder)/(core/|.*/core/)';
const npm = 'node_modules/';
const clientsConfig = '^clients/vite\\.config\\.ts$';
const port = '^common/adapters/[^/]+/port\\.ts$';
const open = '^common/adapters/[^/]+/open\\.ts$';
const helper = '^common/adapters/[^/]+/(bytes|collection|consume)\\.ts$';
const shared = '^common/adapters/shared/';
const adapters = '^common/adapters/';
const ourVersion = '^package\\.json$';

/** @param {string} name @param {string} comment @param {object} from @param {object} to */
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** Modules of ours, other than those that `allowed` names. @param {string[]} allowed */
const oursExcept = (...allowed) => ({ dependencyTypesNot: ['core'], pathNot: [npm, ...allowed] });

module.exports = {
  forbidden: [
    // contract ◀ core ◀ runtime ◀ adapters ◀ planes
    forbid(
      'contract-imports-nothing-of-ours',
      'The contract is what everything else agrees on.',
      { path: '^common/contract/' },
      oursExcept('^common/contract/'),
    ),
    forbid(
      'contract-runs-in-browsers',
      'The web apps import the contract: no module of Node.',
      { path: '^common/contract/' },
      { dependencyTypes: ['core'] },
    ),
    forbid(
      'contract-needs-typebox-only',
      'What the contract imports, every plane and every page carries.',
      { path: '^common/contract/' },
      { path: npm, pathNot: `${npm}typebox/` },
    ),
    forbid(
      'core-imports-contract-and-core',
      'contract ◀ core.',
      { path: '^common/core/' },
      oursExcept('^common/(contract|core)/'),
    ),
    forbid(
      'runtime-imports-down',
      'contract ◀ core ◀ runtime.',
      { path: '^common/runtime/' },
      oursExcept('^common/(contract|core|runtime)/', ourVersion),
    ),
    forbid(
      'adapters-import-down',
      'contract ◀ core ◀ runtime ◀ adapters.',
      { path: '^common/adapters/' },
      oursExcept('^common/(contract|core|runtime|adapters)/'),
    ),
    forbid(
      'planes-never-meet',
      'Planes meet over the wire contract: a plane imports common/ and itself.',
      { path: `^(${planes})/` },
      oursExcept('^common/', '^$1/', ourVersion),
    ),

    // Every core/ is pure.
    forbid(
      'core-is-pure',
      'No files, no network, no clock, no chance in a core: take it as an argument.',
      { path: aCore },
      { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    ),
    forbid(
      'core-imports-pure-packages',
      'A package that does input or output has no place in a core; add a pure one to this list.',
      { path: aCore },
      {
        path: npm,
        pathNot: `${npm}(typebox|cbor-x|lru-cache|ipaddr\\.js|dns-packet|@types/dns-packet|mp4box)/`,
      },
    ),
    forbid(
      'core-of-a-plane-imports-cores',
      "A plane's core imports the contract, the common core and that plane's cores.",
      { path: `^(${planes})/(core/|.*/core/)` },
      oursExcept('^common/(contract|core)/', '^$1/(core/|.*/core/)'),
    ),

    // Adapters: a port is types; helpers work over any engine of a port; open.ts turns a URL into a
    // lazy import of one engine; shared/ is what engines of several ports need; all else is an engine.
    forbid(
      'port-is-types-only',
      'Whoever imports a port must not load an engine with it.',
      { path: port },
      { dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'port-knows-no-engine',
      'A port knows other ports only.',
      { path: port },
      { path: adapters, pathNot: port },
    ),
    forbid(
      'helpers-know-the-port-only',
      'A helper that works over any engine imports none.',
      { path: helper },
      { path: adapters, pathNot: [port, helper] },
    ),
    forbid(
      'shared-knows-no-engine',
      'What engines share imports no port and no engine.',
      { path: shared },
      { path: adapters, pathNot: shared },
    ),
    forbid(
      'engines-are-opened-by-url',
      'Only open.ts knows the engines of its port.',
      { pathNot: [tests, adapters] },
      { path: adapters, pathNot: [port, open, helper, shared] },
    ),
    forbid(
      'engines-stay-in-their-folder',
      'An engine imports its own folder, shared/, and of other ports what everyone may.',
      { path: '^common/adapters/([^/]+)/' },
      { path: adapters, pathNot: ['^common/adapters/$1/', port, open, helper, shared] },
    ),
    forbid(
      'open-imports-engines-lazily',
      'An engine that is not used is not loaded: await import() in open.ts.',
      { path: open },
      { path: adapters, pathNot: [port, shared], dependencyTypesNot: ['dynamic-import', 'type-only'] },
    ),

    forbid(
      'services-never-meet',
      'A service takes what it needs of another as an interface, wired in main.ts.',
      { path: '^control-plane/services/([^/]+)/' },
      { path: '^control-plane/services/[^/]+/', pathNot: '^control-plane/services/$1/' },
    ),
    forbid(
      'encoder-spawns-in-one-place',
      'encoder/ffmpeg.ts alone starts processes: the confinement is there.',
      { path: '^encoder/', pathNot: '^encoder/ffmpeg\\.ts$' },
      { path: '^(node:)?child_process$' },
    ),

    // The command line and the web apps.
    forbid(
      'cli-speaks-http',
      'The command line speaks HTTP over the contract.',
      { path: '^cli/', pathNot: '^cli/bin\\.ts$' },
      oursExcept('^cli/', '^common/(contract|core|runtime)/', ourVersion),
    ),
    forbid(
      'bin-starts-planes',
      "cli/bin.ts may also import a plane's main.ts, lab.ts and restore.ts.",
      { path: '^cli/bin\\.ts$' },
      oursExcept(
        '^cli/',
        '^common/(contract|core|runtime)/',
        ourVersion,
        `^(${planes})/(main|lab|restore)\\.ts$`,
      ),
    ),
    forbid(
      'bin-starts-planes-lazily',
      'One plane a process: the others are not loaded.',
      { path: '^cli/bin\\.ts$' },
      { path: `^(${planes})/`, dependencyTypesNot: ['dynamic-import', 'type-only'] },
    ),
    forbid(
      'clients-import-the-contract',
      'A web app imports the contract and other parts of the web apps.',
      { path: '^clients/' },
      oursExcept('^clients/', '^common/contract/'),
    ),
    forbid(
      'clients-run-in-browsers',
      'No module of Node in a web app.',
      { path: '^clients/', pathNot: clientsConfig },
      { dependencyTypes: ['core'] },
    ),

    // The whole tree.
    forbid('no-cycles', 'A cycle is one module in two files.', {}, { circular: true }),
    forbid(
      'tests-are-leaves',
      'The product never imports its tests.',
      { pathNot: [tests, '^packaging/'] },
      { path: tests },
    ),
    forbid(
      'packaging-is-a-leaf',
      'Only tests import the packaging.',
      { pathNot: [tests, '^packaging/'] },
      { path: '^packaging/' },
    ),
    forbid(
      'product-needs-dependencies',
      'What is shipped may not need a devDependency (the web apps are bundled).',
      { path: `^(common|cli|${planes})/` },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: `${npm}@types/` },
    ),
    forbid('imports-resolve', 'Misspelt, or missing in package.json.', {}, { couldNotResolve: true }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|\\.runtime|\\.tap)/|^test/fixtures/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.json'],
    },
    cache: { folder: 'node_modules/.cache/dependency-cruiser', strategy: 'content' },
  },
};

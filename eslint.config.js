// @ts-check
import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';
import path from 'node:path';

/** House rules that no published plugin has. */
const house = {
  rules: {
    'file-name': {
      /** @param {any} context */
      create(context) {
        const name = path.basename(context.filename);
        return {
          /** @param {unknown} node */
          Program(node) {
            if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config|d))?\.(ts|tsx|js)$/.test(name)) {
              context.report({ node, message: 'File names are kebab-case.' });
            }
            if (/^index\.tsx?$/.test(name)) {
              context.report({ node, message: 'No barrels: name the file after what it holds.' });
            }
          },
        };
      },
    },
  },
};

const noBarrel = {
  selector: 'ExportAllDeclaration',
  message: 'No barrels: import from the file that declares it.',
};
const noDefaultExport = { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' };

const impure = 'A core is pure: take this as an argument.';
const noClock = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: impure },
  { selector: "CallExpression[callee.name='Date']", message: impure },
];
const chance = [
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'getRandomValues',
  'webcrypto',
];

export default tseslint.config(
  {
    ignores: ['**/node_modules/', '**/dist/', '.runtime/', '.tap/', 'test/fixtures/'],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [
      eslint.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    plugins: { house },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'house/file-name': 'error',
      'no-restricted-syntax': ['error', noBarrel, noDefaultExport],
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': ['error', { max: 70 }],
      '@typescript-eslint/max-params': ['error', { max: 3 }],
      eqeqeq: 'error',
      'no-console': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: false },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowNever: true },
      ],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // An async JSX attribute is how React applications write event handlers.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      // A port is asynchronous also where an engine answers at once.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/consistent-type-definitions': 'off',
      // Takes `const [first = ''] = list` for useless: it does not know noUncheckedIndexedAccess.
      '@typescript-eslint/no-useless-default-assignment': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
    },
  },
  {
    // design.md, "every core/ is pure": dependency-cruiser watches its imports, this what it can reach without one.
    files: ['**/core/**/*.ts'],
    ignores: ['test/**'],
    rules: {
      'no-restricted-syntax': ['error', noBarrel, noDefaultExport, ...noClock],
      'no-restricted-globals': [
        'error',
        ...['process', 'performance', 'fetch', 'WebSocket', 'crypto', 'console'].map(forbid),
        ...['setTimeout', 'setInterval', 'setImmediate', 'global', 'globalThis'].map(forbid),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: impure },
        { object: 'Math', property: 'random', message: impure },
        { object: 'AbortSignal', property: 'timeout', message: impure },
        ...chance.map((property) => ({ object: 'crypto', property, message: impure })),
      ],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: ['node:crypto', 'crypto'].map((name) => ({ name, importNames: chance, message: impure })),
        },
      ],
    },
  },
  {
    files: ['common/adapters/*/port.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        noBarrel,
        noDefaultExport,
        {
          selector:
            'Program > :not(ImportDeclaration, ExportNamedDeclaration, TSInterfaceDeclaration, TSTypeAliasDeclaration)',
          message: 'A port holds types only.',
        },
        {
          selector:
            "Program > :matches(ImportDeclaration[importKind='value'], ExportNamedDeclaration[exportKind='value'])",
          message: 'A port holds types only.',
        },
      ],
    },
  },
  {
    files: ['cli/**/*.ts', 'packaging/**/*.ts', 'test/**/*.ts', '**/lab.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // Linear algebra over typed arrays: places are computed, and a formula is read more easily without `?? 0` at each of them.
    files: ['control-plane/services/recommendations/core/**', 'control-plane/lab/rating-list.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['test/**/*.ts', 'test/**/*.tsx'],
    rules: {
      'max-lines-per-function': 'off',
      // tap's t.test() returns a promise that tap itself awaits.
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.config.js', '**/*.config.ts'],
    rules: { 'no-restricted-syntax': ['error', noBarrel] },
  },
);

/** @param {string} name */
function forbid(name) {
  return { name, message: impure };
}

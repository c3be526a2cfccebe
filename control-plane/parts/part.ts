import type { HttpServer } from '../../common/runtime/http-server.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Directory } from '../apart/directory.ts';
import type { Base } from '../base.ts';
import type { Stores } from '../stores.ts';

/** What the parts of a process share. */
export interface PartContext extends Base {
  readonly stores: Stores;
  readonly directory: Directory;
  /** How people and programs reach the whole. */
  readonly publicUrl: () => string;
}

/** A service, or several, opened in this process. */
export interface Part {
  readonly components: readonly Component[];
  /** Adds its routes. */
  readonly routes: (server: HttpServer) => void;
  /** Frees what the stores do not. */
  readonly close?: () => Promise<void>;
}

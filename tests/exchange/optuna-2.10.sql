BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v2.6.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'oldie');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,0,1.66465446212325307931e-03);
INSERT INTO "trial_intermediate_values" VALUES(2,1,1,1.00166465446212327172e+00);
INSERT INTO "trial_intermediate_values" VALUES(3,1,2,2.00166465446212304968e+00);
INSERT INTO "trial_intermediate_values" VALUES(4,2,0,5.51088430726745848176e-01);
INSERT INTO "trial_intermediate_values" VALUES(5,2,1,1.55108843072674584817e+00);
INSERT INTO "trial_intermediate_values" VALUES(6,2,2,2.55108843072674584817e+00);
INSERT INTO "trial_intermediate_values" VALUES(7,3,0,1.98366868563686678944e-03);
INSERT INTO "trial_intermediate_values" VALUES(8,3,1,1.0019836686856369301e+00);
INSERT INTO "trial_intermediate_values" VALUES(9,3,2,2.00198366868563670806e+00);
INSERT INTO "trial_intermediate_values" VALUES(10,4,0,3.97847252942189644198e-01);
INSERT INTO "trial_intermediate_values" VALUES(11,4,1,1.3978472529421896997e+00);
INSERT INTO "trial_intermediate_values" VALUES(12,4,2,2.39784725294218947766e+00);
INSERT INTO "trial_intermediate_values" VALUES(13,5,0,1.10312069211856988992e-03);
INSERT INTO "trial_intermediate_values" VALUES(14,5,1,1.00110312069211859764e+00);
INSERT INTO "trial_intermediate_values" VALUES(15,5,2,2.00110312069211859764e+00);
INSERT INTO "trial_intermediate_values" VALUES(16,6,0,1.06071509204862135414e-04);
INSERT INTO "trial_intermediate_values" VALUES(17,6,1,1.00010607150920494134e+00);
INSERT INTO "trial_intermediate_values" VALUES(18,6,2,2.00010607150920494134e+00);
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'x',1.66465446212325307931e-03,'{"name": "LogUniformDistribution", "attributes": {"low": 0.0001, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(2,1,'y',3.81131592441665945081e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(3,1,'k',1.0,'{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 2}}');
INSERT INTO "trial_params" VALUES(4,1,'c',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(5,1,'d',0.75,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(6,2,'x',5.51088430726745848176e-01,'{"name": "LogUniformDistribution", "attributes": {"low": 0.0001, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(7,2,'y',0.0706140817794888,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(8,2,'k',9.0,'{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 2}}');
INSERT INTO "trial_params" VALUES(9,2,'c',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(10,2,'d',0.5,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(11,3,'x',1.98366868563686678944e-03,'{"name": "LogUniformDistribution", "attributes": {"low": 0.0001, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(12,3,'y',9.30453364922079195764e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(13,3,'k',9.0,'{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 2}}');
INSERT INTO "trial_params" VALUES(14,3,'c',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(15,3,'d',1.0,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(16,4,'x',3.97847252942189644198e-01,'{"name": "LogUniformDistribution", "attributes": {"low": 0.0001, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(17,4,'y',7.7784510303762988137e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(18,4,'k',7.0,'{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 2}}');
INSERT INTO "trial_params" VALUES(19,4,'c',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(20,4,'d',0.5,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(21,5,'x',1.10312069211856988992e-03,'{"name": "LogUniformDistribution", "attributes": {"low": 0.0001, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(22,5,'y',1.84329484938653753722e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(23,5,'k',9.0,'{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 2}}');
INSERT INTO "trial_params" VALUES(24,5,'c',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(25,5,'d',1.0,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
INSERT INTO "trial_params" VALUES(26,6,'x',1.06071509204862135414e-04,'{"name": "LogUniformDistribution", "attributes": {"low": 0.0001, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(27,6,'y',6.77043928986894805177e-01,'{"name": "UniformDistribution", "attributes": {"low": 0.0, "high": 1.0}}');
INSERT INTO "trial_params" VALUES(28,6,'k',9.0,'{"name": "IntUniformDistribution", "attributes": {"low": 1, "high": 9, "step": 2}}');
INSERT INTO "trial_params" VALUES(29,6,'c',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}');
INSERT INTO "trial_params" VALUES(30,6,'d',1.0,'{"name": "DiscreteUniformDistribution", "attributes": {"low": 0.0, "high": 1.0, "q": 0.25}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,2.00166465446212304968e+00);
INSERT INTO "trial_values" VALUES(2,2,0,2.55108843072674584817e+00);
INSERT INTO "trial_values" VALUES(3,3,0,2.00198366868563670806e+00);
INSERT INTO "trial_values" VALUES(4,4,0,2.39784725294218947766e+00);
INSERT INTO "trial_values" VALUES(5,5,0,2.00110312069211859764e+00);
INSERT INTO "trial_values" VALUES(6,6,0,2.00010607150920494134e+00);
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-24 21:07:57.237834','2026-11-24 21:07:57.776155');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-24 21:07:57.898567','2026-11-24 21:07:58.264419');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-24 21:07:58.308103','2026-11-24 21:07:58.602677');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-24 21:07:58.641950','2026-11-24 21:07:58.977361');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-24 21:07:59.067481','2026-11-24 21:07:59.300916');
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-11-24 21:07:59.338097','2026-11-24 21:07:59.577017');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'2.10.1');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
COMMIT;
